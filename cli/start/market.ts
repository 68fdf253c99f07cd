/** What the simulated cloud's market holds. */
import { z } from 'zod';
import type { CloudReady } from './node-parts';

const marketSchema = z.object({ regions: z.array(z.string()).min(1) });

/** The regions of its zones, so that the worker serves all of them. */
export async function readRegions(cloud: CloudReady): Promise<string[]> {
  const response = await fetch(`${cloud.controlUrl}/market`, { signal: AbortSignal.timeout(5000) });
  if (!response.ok)
    throw new Error(`The simulated cloud does not tell its market: HTTP status ${response.status}.`);
  const market = marketSchema.safeParse(await response.json());
  return market.success ? market.data.regions : [cloud.region];
}
