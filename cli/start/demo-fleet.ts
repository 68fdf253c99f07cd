/**
 * The demo's instances: launched once for a state, on spot, spread over the zones, through the EC2 API as a person
 * would. A launch has a client token, so a start that was killed half-way is completed by the next without doubles.
 */
import {
  DescribeSpotPriceHistoryCommand,
  EC2Client,
  EC2ServiceException,
  RunInstancesCommand,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import type { UserData } from '../../contracts/user-data';
import type { CloudReady } from './node-parts';
import type { StateFolder } from './state-folder';

interface FleetRecord {
  agents: number;
  complete: boolean;
}

const FILE = 'demo-fleet.json';
const DEFAULT_AGENTS = 4;
/** Market conditions that another zone may not have. */
const TRY_ELSEWHERE = ['InsufficientInstanceCapacity', 'SpotMaxPriceTooLow', 'UnfulfillableCapacity'];

/** Whether instances of this state were ever told how to reach the API. */
export function hasFleet(state: StateFolder): boolean {
  return (state.read<FleetRecord>(FILE)?.agents ?? 0) > 0;
}

export interface FleetOptions {
  /** Null where it wasn't asked for. */
  agents: number | null;
  cloud: CloudReady;
  serverUrl: string;
  clientToken: string;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** @returns how many agents the fleet has. */
export async function ensureFleet(state: StateFolder, options: FleetOptions): Promise<number> {
  const record = state.read<FleetRecord>(FILE) ?? {
    agents: options.agents ?? DEFAULT_AGENTS,
    complete: false,
  };
  if (record.complete) {
    if (options.agents !== null && options.agents !== record.agents)
      options.say(
        `The demo fleet keeps its ${record.agents} agents; --fresh --agents ${options.agents} makes a new one.`,
      );
    return record.agents;
  }
  state.write(FILE, record);
  const ec2 = new EC2Client({
    region: options.cloud.region,
    endpoint: options.cloud.cloudUrl,
    credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' },
  });
  try {
    if (record.agents > 0) await launchAll(ec2, record.agents, options);
  } finally {
    ec2.destroy();
  }
  state.write(FILE, { ...record, complete: true });
  return record.agents;
}

interface Choice {
  zone: string;
  instanceType: _InstanceType;
}

async function launchAll(ec2: EC2Client, agents: number, options: FleetOptions): Promise<void> {
  const choices = await spotPools(ec2, options.signal);
  if (choices.length === 0)
    throw new Error('The simulated market has no spot pools, so no demo instance can be launched.');
  for (let k = 1; k <= agents; k++) {
    // Each starts its search at another zone.
    const from = (k - 1) % choices.length;
    await launch(ec2, `demo-agent-${k}`, [...choices.slice(from), ...choices.slice(0, from)], options);
  }
}

/** One pool a zone first, then the rest. */
async function spotPools(ec2: EC2Client, abortSignal: AbortSignal): Promise<Choice[]> {
  const { SpotPriceHistory = [] } = await ec2.send(
    new DescribeSpotPriceHistoryCommand({ StartTime: new Date(), ProductDescriptions: ['Linux/UNIX'] }),
    { abortSignal },
  );
  const all = new Map<string, Choice>();
  for (const { AvailabilityZone: zone, InstanceType: instanceType } of SpotPriceHistory)
    if (zone && instanceType) all.set(`${zone}/${instanceType}`, { zone, instanceType });
  const sorted = [...all.entries()].sort(([a], [b]) => a.localeCompare(b)).map(([, choice]) => choice);
  const firsts = sorted.filter(
    (choice, index) => sorted.findIndex(({ zone }) => zone === choice.zone) === index,
  );
  return [...firsts, ...sorted.filter((choice) => !firsts.includes(choice))];
}

async function launch(ec2: EC2Client, name: string, choices: Choice[], options: FleetOptions): Promise<void> {
  const userData: UserData = {
    spotkeeper: { server_url: options.serverUrl, logical_agent_id: name, client_token: options.clientToken },
  };
  let refusal = '';
  for (const { zone, instanceType } of choices) {
    try {
      await ec2.send(
        new RunInstancesCommand({
          ClientToken: name,
          ImageId: options.cloud.imageId,
          InstanceType: instanceType,
          MinCount: 1,
          MaxCount: 1,
          Placement: { AvailabilityZone: zone },
          InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { SpotInstanceType: 'one-time' } },
          UserData: Buffer.from(JSON.stringify(userData)).toString('base64'),
          TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }],
        }),
        { abortSignal: options.signal },
      );
      return;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof EC2ServiceException)) throw error;
      // A killed start has launched it already, in a pool that is not the first choice any more.
      if (error.name === 'IdempotentParameterMismatch') return;
      if (!TRY_ELSEWHERE.includes(error.name))
        throw new Error(
          `The demo instance ${name} could not be launched in ${zone}: ${error.name}: ${error.message}`,
        );
      refusal = `${error.name} in ${zone}`;
    }
  }
  throw new Error(
    `The demo instance ${name} could not be launched in any spot pool (last: ${refusal}). Start again, or with --fresh.`,
  );
}
