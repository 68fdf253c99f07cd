/** What launches are made of and come to, beside instances. Plain JSON, like entities.ts. */
import type { EndReason, PurchaseOption, Tags } from './entities';

export interface LaunchTemplate {
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly createdAt: number;
  readonly tags: Tags;
  readonly defaultVersion: number;
  /** By number, oldest first. */
  readonly versions: readonly LaunchTemplateVersion[];
}

export interface LaunchTemplateVersion {
  readonly number: number;
  readonly description: string | null;
  readonly createdAt: number;
  /** Parameters of RunInstances by their flat names. */
  readonly data: Readonly<Record<string, string>>;
}

/** What a fleet of type `instant` came to, for who asks again. */
export interface Fleet {
  readonly id: string;
  readonly region: string;
  readonly createdAt: number;
  readonly tried: readonly FleetTry[];
}

/** A pool that a fleet tried: what it gave, or why it gave nothing. */
export interface FleetTry {
  readonly option: PurchaseOption;
  readonly templateId: string;
  readonly templateVersion: string;
  /** As the request named it. */
  readonly override: Readonly<Record<string, string>>;
  readonly instanceType: string;
  readonly zone: string;
  readonly instanceIds: readonly string[];
  readonly error: EndReason | null;
}
