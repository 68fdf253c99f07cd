/** The tables of prices as Kysely sees them. The price watch writes them; instance_stops is whoever's stops or starts a machine. */
import type { ColumnType } from 'kysely';
import type { PurchaseOption } from '../contracts/states';

type Timestamp = ColumnType<Date, Date | string, Date | string>;

export interface PriceBookTable {
  account_id: string;
  region: string;
  instance_type: string;
  mode: PurchaseOption;
  /** Empty for on-demand prices. */
  zone: string;
  held_from: Timestamp;
  /** Decimal text. */
  usd_per_hour: string;
}

export interface PriceWatchTable {
  account_id: string;
  region: string;
  instance_type: string;
  spot_until: Timestamp | null;
  ondemand_at: Timestamp | null;
}

export interface InstanceStopsTable {
  client_id: string;
  instance_id: string;
  stopped_at: Timestamp;
  started_at: Timestamp | null;
  /** When EC2 was asked to stop it; null for one that was found stopped. */
  asked_at: Timestamp | null;
}

export interface PriceTables {
  price_book: PriceBookTable;
  price_watch: PriceWatchTable;
  instance_stops: InstanceStopsTable;
}
