/** Regions as the price list names them: a place, and the letters before its usage types (none in the first region). */
const REGIONS: Readonly<Record<string, readonly [name: string, usage: string]>> = {
  'us-east-1': ['US East (N. Virginia)', ''],
  'us-east-2': ['US East (Ohio)', 'USE2-'],
  'us-west-1': ['US West (N. California)', 'USW1-'],
  'us-west-2': ['US West (Oregon)', 'USW2-'],
  'ca-central-1': ['Canada (Central)', 'CAN1-'],
  'eu-west-1': ['EU (Ireland)', 'EU-'],
  'eu-west-2': ['EU (London)', 'EUW2-'],
  'eu-west-3': ['EU (Paris)', 'EUW3-'],
  'eu-central-1': ['EU (Frankfurt)', 'EUC1-'],
  'eu-north-1': ['EU (Stockholm)', 'EUN1-'],
  'ap-south-1': ['Asia Pacific (Mumbai)', 'APS3-'],
  'ap-southeast-1': ['Asia Pacific (Singapore)', 'APS1-'],
  'ap-southeast-2': ['Asia Pacific (Sydney)', 'APS2-'],
  'ap-northeast-1': ['Asia Pacific (Tokyo)', 'APN1-'],
  'ap-northeast-2': ['Asia Pacific (Seoul)', 'APN2-'],
  'sa-east-1': ['South America (Sao Paulo)', 'SAE1-'],
};

export function regionName(region: string): string {
  return REGIONS[region]?.[0] ?? region;
}

export function usagePrefix(region: string): string {
  return REGIONS[region]?.[1] ?? `${region}-`;
}
