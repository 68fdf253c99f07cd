/** The control API's calls. Each takes JSON, checked where it is read, and answers JSON. README.md lists them. */
import { FAULT_ROUTES } from './fault-routes';
import { INSTANCE_ROUTES } from './instance-routes';
import { LIMIT_ROUTES } from './limit-routes';
import { LOG_ROUTES } from './log-routes';
import { MARKET_ROUTES } from './market-routes';
import { METADATA_ROUTES } from './metadata-routes';
import { RESOURCE_ROUTES } from './resource-routes';
import type { Route } from './route';
import { SERVICE_ROUTES } from './service-routes';

export const ROUTES: readonly Route[] = [
  ...MARKET_ROUTES,
  ...LIMIT_ROUTES,
  ...INSTANCE_ROUTES,
  ...RESOURCE_ROUTES,
  ...FAULT_ROUTES,
  ...SERVICE_ROUTES,
  ...METADATA_ROUTES,
  ...LOG_ROUTES,
];
