/** The API's environment. */
import { z } from 'zod';
import { portVariable, readEnvironment, speedVariable, wholeNumber } from '../contracts/environment';
import { targetVariables } from '../contracts/notification-targets';
import { databaseVariables } from '../db/settings';
import { temporalVariables } from '../temporal/settings';

const apiVariables = z.object({
  ...databaseVariables,
  ...temporalVariables,
  PORT: portVariable.default(5000),
  HOST: z
    .string()
    .regex(/^\S+$/)
    .default('127.0.0.1')
    .describe('the address to listen on, such as 127.0.0.1 or 0.0.0.0'),
  TASK_QUEUE: z
    .string()
    .min(1)
    .default('spotkeeper')
    .describe('the name of the Temporal task queue of the workflows'),
  TEMPORAL_UI_URL: z
    .url()
    .optional()
    .describe(
      'the address of the Temporal Web UI, to which agents are linked, such as http://127.0.0.1:8233',
    ),
  HEARTBEAT_SIGNALS: z
    .enum(['news', 'every'])
    .default('news')
    .describe('news (only heartbeats that say something new reach the workflow) or every'),
  HEARTBEAT_QUEUE: wholeNumber(1, 1_000_000)
    .default(10_000)
    .describe('how many heartbeats may wait to be stored, from 1 to 1000000; more are refused for a moment'),
  REQUEST_TIMEOUT_MS: wholeNumber(100, 600_000)
    .default(20_000)
    .describe('milliseconds in which a request must have arrived, its headers in half of it'),
  SPOTKEEPER_SPEED: speedVariable,
  METRICS_ACCESS: z
    .enum(['admin', 'anyone'])
    .default('admin')
    .describe('admin (GET /metrics names clients, agents and instances to an admin token only) or anyone'),
  API_METRICS_ADDRESS: z
    .string()
    .regex(/^[\w.-]+:\d{1,5}$/)
    .optional()
    .describe('the host and port at which Prometheus alone finds all metrics, such as 0.0.0.0:9464'),
  METRICS_AGENT_SERIES: wholeNumber(0, 10_000)
    .default(1_000)
    .describe('how many agents have series of their own, of each kind, from 0 to 10000'),
  METRICS_CACHE_SECONDS: wholeNumber(0, 300)
    .default(10)
    .describe('seconds for which the figures of the fleet are not read again, from 0 to 300'),
  ...targetVariables,
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('one of trace, debug, info, warn, error, fatal'),
});

export type ApiSettings = z.infer<typeof apiVariables>;

/** @throws EnvironmentError */
export function readApiSettings(environment: NodeJS.ProcessEnv): ApiSettings {
  return readEnvironment(apiVariables, environment);
}
