/**
 * The machines behind the books' instances: a metadata port and, with `--boot process`, an agent process each.
 *
 * M1 what a machine does follows from its instance as the books have it durably; `reconcile` may be called at any time
 *    and any number of times.
 * M2 an agent that fails is started again after the restart delay (systemd's Restart=on-failure), one that exits with 0
 *    is not.
 * M3 an agent's process doesn't outlive its instance, nor the simulator's clean stop.
 * M4 an instance that stops tells its agent, and kills it after a grace; one that hibernates freezes it, and the same
 *    process goes on when it comes back, unless the simulator was stopped cleanly meanwhile (M3) or its metadata port is
 *    someone else's by then.
 */
import type { Books } from '../books/books';
import type { Instance, Machine } from '../books/entities';
import type { EventLog } from '../control/event-log';
import type { LoopbackServer } from '../loopback-server';
import { AgentProcess } from './agent-process';
import type { ProcessEnd } from './agent-process';
import type { InstanceFiles } from './instance-files';

export interface MachineSettings {
  readonly books: Books;
  readonly files: InstanceFiles;
  readonly events: EventLog;
  readonly now: () => number;
  /** Null boots no processes. */
  readonly agentProgram: string | null;
  /** Names of our variables that agents get beyond the minimum. */
  readonly passEnvironment: readonly string[];
  readonly restartMilliseconds: number;
  /** Opens an instance's own metadata port, the wished one if it is free. */
  readonly openMetadata: (instanceId: string, wished: number | null) => Promise<LoopbackServer>;
  readonly onError: (error: unknown) => void;
}

interface Running {
  metadata: LoopbackServer | null;
  agent: AgentProcess | null;
  restart: NodeJS.Timeout | null;
  rebooting: boolean;
}

const NEW_MACHINE: Machine = { metadataPort: null, agentFinished: false, bootedAt: null };
const GRACE_MILLISECONDS = 5000;

export class Machines {
  readonly #settings: MachineSettings;
  readonly #running = new Map<string, Running>();
  readonly #work = new Map<string, Promise<void>>();
  #stopping = false;

  constructor(settings: MachineSettings) {
    this.#settings = settings;
  }

  /** Makes the machine what its instance says; changes to one machine follow each other. */
  reconcile(instanceId: string): void {
    const before = this.#work.get(instanceId) ?? Promise.resolve();
    const work = before.then(() => this.#reconcile(instanceId)).catch(this.#settings.onError);
    this.#work.set(instanceId, work);
    void work.then(() => {
      if (this.#work.get(instanceId) === work) this.#work.delete(instanceId);
    });
  }

  agentPid(instanceId: string): number | null {
    return this.#running.get(instanceId)?.agent?.pid ?? null;
  }

  metadataPort(instanceId: string): number | null {
    return this.#running.get(instanceId)?.metadata?.port ?? null;
  }

  /** SIGKILL to the agent alone. Returns whether one was there. */
  crash(instanceId: string): boolean {
    return this.#running.get(instanceId)?.agent?.signal('SIGKILL') ?? false;
  }

  /** The operating system stops the agent, and starts it again, also one that had ended. Resolves when it is down. */
  async reboot(instanceId: string): Promise<void> {
    const machine = this.#running.get(instanceId);
    if (!machine) return;
    if (!machine.agent) {
      this.#boots(instanceId);
      this.reconcile(instanceId);
      return;
    }
    machine.rebooting = true;
    await shutDown(machine.agent);
  }

  /** Kills every agent, closes every port. A suspended machine says no goodbye. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#work.values());
    await Promise.all([...this.#running.keys()].map((id) => this.#dismantle(id)));
  }

  async #reconcile(instanceId: string): Promise<void> {
    if (this.#stopping) return;
    const instance = this.#settings.books.get('instance', instanceId);
    switch (instance?.state) {
      case 'pending':
        await this.#openMetadata(instance);
        return;
      case 'running':
        await this.#endOfEarlierBoot(instance);
        await this.#openMetadata(instance);
        await this.#mount(instance);
        this.#startAgent(instance);
        return;
      case 'stopping':
      case 'stopped':
        if (instance.stoppedBy === 'hibernate') {
          await this.#freeze(instanceId);
          return;
        }
        await this.#dismantle(instanceId, 'shut down');
        this.#boots(instanceId);
        return;
      case 'shutting-down':
        await this.#dismantle(instanceId);
        return;
      case 'terminated':
        await this.#dismantle(instanceId);
        await this.#settings.files.unmount(
          instanceId,
          instance.devices,
          (id) => this.#settings.books.get('volume', id) !== undefined,
        );
        return;
      case undefined:
        await this.#dismantle(instanceId);
        await this.#settings.files.forget(instanceId);
    }
  }

  async #openMetadata({ id }: Instance): Promise<void> {
    const machine = this.#machine(id);
    if (machine.metadata) return;
    const wished = this.#record(id).metadataPort;
    machine.metadata = await this.#settings.openMetadata(id, wished);
    if (machine.metadata.port === wished) return;
    // An agent of before knows only the old port, which someone else has now.
    await AgentProcess.adopt(this.#settings.files.instanceFolder(id))?.kill();
    this.#keep(id, { metadataPort: machine.metadata.port });
  }

  /** Its disks as it sees them, where something runs that sees them. */
  async #mount({ id, devices }: Instance): Promise<void> {
    const { agentProgram, books, files, now } = this.#settings;
    if (agentProgram === null) return;
    const volumes = devices.flatMap(({ volumeId }) => books.get('volume', volumeId) ?? []);
    const moment = now();
    await files.mount(
      id,
      volumes.filter(({ attachment }) => attachment !== null && attachment.settledAt <= moment),
    );
  }

  #startAgent(instance: Instance): void {
    const { agentProgram, files, events } = this.#settings;
    const machine = this.#machine(instance.id);
    machine.agent?.thaw();
    if (agentProgram === null || machine.agent || machine.restart || !machine.metadata) return;
    if (this.#record(instance.id).agentFinished) return;
    const folder = files.instanceFolder(instance.id);
    const agent =
      AgentProcess.adopt(folder) ??
      AgentProcess.start({
        folder,
        program: agentProgram,
        environment: {
          ...this.#passedOn(),
          PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
          HOME: folder,
          AWS_EC2_METADATA_SERVICE_ENDPOINT: machine.metadata.url,
          SPOT_AGENT_HOME: files.agentHome(instance.id),
        },
      });
    if (agent.adopted) agent.thaw();
    events.append({
      kind: agent.adopted ? 'agent-adopted' : 'agent-started',
      instance_id: instance.id,
      pid: agent.pid,
    });
    this.#follow(instance.id, agent);
  }

  #follow(instanceId: string, agent: AgentProcess): void {
    this.#machine(instanceId).agent = agent;
    void agent.ended.then((end) => this.#agentEnded(instanceId, agent, end)).catch(this.#settings.onError);
  }

  /** Its memory is kept, and no one reaches it. */
  async #freeze(instanceId: string): Promise<void> {
    const machine = this.#machine(instanceId);
    if (!machine.agent) {
      const left = AgentProcess.adopt(this.#settings.files.instanceFolder(instanceId));
      if (left) this.#follow(instanceId, left);
    }
    machine.agent?.freeze();
    if (machine.restart) clearTimeout(machine.restart);
    machine.restart = null;
    await machine.metadata?.close();
    machine.metadata = null;
  }

  /** An instance may have been off and on again by the time we look. */
  async #endOfEarlierBoot({ id, bootedAt }: Instance): Promise<void> {
    const before = this.#record(id).bootedAt;
    if (before === bootedAt || this.#settings.agentProgram === null) return;
    if (before !== null) await this.#dismantle(id, 'shut down');
    this.#keep(id, { bootedAt, agentFinished: false });
  }

  /** What has ended by itself is started again when the machine boots. */
  #boots(instanceId: string): void {
    if (this.#record(instanceId).agentFinished) this.#keep(instanceId, { agentFinished: false });
  }

  #agentEnded(instanceId: string, agent: AgentProcess, end: ProcessEnd): void {
    const machine = this.#running.get(instanceId);
    if (!machine || machine.agent !== agent || this.#stopping) return;
    machine.agent = null;
    this.#settings.events.append({
      kind: 'agent-ended',
      instance_id: instanceId,
      pid: agent.pid,
      description: end.description,
    });
    if (end.clean && !machine.rebooting) {
      this.#keep(instanceId, { agentFinished: true });
      return;
    }
    machine.rebooting = false;
    machine.restart = setTimeout(() => {
      machine.restart = null;
      this.reconcile(instanceId);
    }, this.#settings.restartMilliseconds);
  }

  async #dismantle(instanceId: string, how: 'kill' | 'shut down' = 'kill'): Promise<void> {
    const machine = this.#running.get(instanceId);
    this.#running.delete(instanceId);
    if (machine?.restart) clearTimeout(machine.restart);
    const left = machine?.agent ?? AgentProcess.adopt(this.#settings.files.instanceFolder(instanceId));
    if (left && how === 'shut down') await shutDown(left);
    await left?.kill();
    await machine?.metadata?.close();
  }

  #passedOn(): Record<string, string> {
    return Object.fromEntries(
      this.#settings.passEnvironment.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    );
  }

  #machine(instanceId: string): Running {
    let machine = this.#running.get(instanceId);
    if (!machine) {
      machine = { metadata: null, agent: null, restart: null, rebooting: false };
      this.#running.set(instanceId, machine);
    }
    return machine;
  }

  #record(instanceId: string): Machine {
    return this.#settings.books.get('machine', instanceId) ?? NEW_MACHINE;
  }

  #keep(instanceId: string, change: Partial<Machine>): void {
    const { books, now } = this.#settings;
    books.commit(now(), [['machine', instanceId, { ...this.#record(instanceId), ...change }]]);
  }
}

/** Tells it to end, and makes it end after a grace. Resolves when it has. */
async function shutDown(agent: AgentProcess): Promise<void> {
  agent.signal('SIGTERM');
  const force = setTimeout(() => agent.signal('SIGKILL'), GRACE_MILLISECONDS);
  await agent.ended;
  clearTimeout(force);
}
