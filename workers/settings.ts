/** The control worker's environment. */
import { z } from 'zod';
import { readEnvironment, speedVariable, wholeNumber } from '../contracts/environment';
import { HISTORY_LIMITS } from '../db/history-pruning';
import { SAMPLE_LIMITS } from '../db/sample-parts';
import { databaseVariables } from '../db/settings';
import { temporalVariables } from '../temporal/settings';
import { notificationVariables } from './notification-settings';

const workerVariables = z.object({
  ...databaseVariables,
  ...temporalVariables,
  TASK_QUEUE: z
    .string()
    .min(1)
    .default('spotkeeper')
    .describe('the name of the Temporal task queue of the workflows'),
  AWS_ACCOUNT_ID: z
    .string()
    .regex(/^\d{12}$/)
    .describe('the twelve digits of the AWS account whose credentials, or whose role, this worker uses'),
  AWS_REGIONS: z
    .string()
    .regex(/^[a-z0-9-]+(,[a-z0-9-]+)*$/)
    .optional()
    .describe('the regions this worker serves, such as us-east-1,us-west-2 (default: AWS_REGION)'),
  AWS_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .optional()
    .describe('a region such as us-east-1'),
  ASSUME_ROLE_ARN: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/)
    .optional()
    .describe(
      'the ARN of a role in that account to take on, such as arn:aws:iam::123456789012:role/spotkeeper (default: none, the credentials are used as they are)',
    ),
  ASSUME_ROLE_EXTERNAL_ID: z
    .string()
    .regex(/^[\w+=,.@:/-]{2,1224}$/)
    .optional()
    .describe('the external id that the role asks for: 2 to 1224 letters, digits and + = , . @ : / - _'),
  API_PUBLIC_URL: z
    .url()
    .describe(
      'the address at which launched instances reach the API, such as https://spotkeeper.example.com',
    ),
  SPOTKEEPER_SPEED: speedVariable,
  LEASE_SWEEP_MS: wholeNumber(100, 60_000)
    .default(5_000)
    .describe('milliseconds between two sweeps of the leases, from 100 to 60000'),
  OUTBOX_RELAY_MS: wholeNumber(50, 60_000)
    .default(1_000)
    .describe('milliseconds between two looks at news that nobody has delivered, from 50 to 60000'),
  ...notificationVariables,
  SAMPLES_FULL_RATE_HOURS: wholeNumber(1, 168)
    .default(SAMPLE_LIMITS.fullRateHours)
    .describe('hours for which each sample of a heartbeat is kept, from 1 to 168'),
  SAMPLES_FULL_RATE_MB: wholeNumber(1, 10_000_000)
    .default(SAMPLE_LIMITS.fullRateBytes / 2 ** 20)
    .describe('megabytes of such samples beyond which the oldest go early, from 1 to 10000000'),
  EVENTS_INFO_DAYS: wholeNumber(1, 36_500)
    .default(HISTORY_LIMITS.infoEvents)
    .describe('days for which events of severity info are kept, from 1 to 36500'),
  EVENTS_ALERT_DAYS: wholeNumber(1, 36_500)
    .default(HISTORY_LIMITS.alertEvents)
    .describe('days for which events of severity warning and critical are kept, from 1 to 36500'),
  NOTIFICATIONS_DAYS: wholeNumber(1, 36_500)
    .default(HISTORY_LIMITS.notifications)
    .describe('days for which messages that were delivered or given up are kept, from 1 to 36500'),
  METRICS_ADDRESS: z
    .string()
    .regex(/^[\w.-]+:\d{1,5}$/)
    .optional()
    .describe(
      'the host and port at which Prometheus finds the metrics of Temporal workers, such as 0.0.0.0:9464',
    ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('one of trace, debug, info, warn, error, fatal'),
});

export type WorkerSettings = z.infer<typeof workerVariables> & {
  regions: string[];
  assumeRole: { roleArn: string; externalId?: string } | undefined;
};

/** @throws EnvironmentError */
export function readWorkerSettings(environment: NodeJS.ProcessEnv): WorkerSettings {
  const settings = readEnvironment(workerVariables, environment);
  const regions = (settings.AWS_REGIONS ?? settings.AWS_REGION ?? 'us-east-1').split(',');
  const { ASSUME_ROLE_ARN: roleArn, ASSUME_ROLE_EXTERNAL_ID: externalId } = settings;
  return { ...settings, regions, assumeRole: roleArn === undefined ? undefined : { roleArn, externalId } };
}
