/** What is said of each kind of event: what happened, what the system does by itself, and what a person can do. */

export interface EventWords {
  /** What happened to agents: the end of "Agent web-1 …" and of "3 agents …". Without it the event speaks for itself. */
  agents?: [one: string, many: string];
  systemDoes?: string;
  personCan?: string;
  /** Which commands help. */
  commands?: 'keep-alive';
}

const KEEP_ALIVE = 'If it works, keep it as it is for an hour:';

/** Kinds that aren't named here are told in the words of their own events. */
const WORDS: Record<string, EventWords> = {
  agent_silent: {
    agents: ['is silent', 'are silent'],
    systemDoes: 'EC2 was asked: the machine runs. After a longer silence the agent is called orphaned.',
    personCan: KEEP_ALIVE,
    commands: 'keep-alive',
  },
  agent_orphaned: {
    agents: [
      'is orphaned: it has been silent for too long',
      'are orphaned: they have been silent for too long',
    ],
    systemDoes: 'If the silence lasts, the machine is hibernated. A heartbeat ends all of it.',
    personCan: KEEP_ALIVE,
    commands: 'keep-alive',
  },
  agent_silent_too_long: {
    agents: [
      'has been silent for so long that its machine is put to rest',
      'have been silent for so long that their machines are put to rest',
    ],
    systemDoes: 'The machine is hibernated, or stopped where it can’t hibernate. Nothing is lost by that.',
    personCan: KEEP_ALIVE,
    commands: 'keep-alive',
  },
  agent_force_stop: {
    agents: [
      'is silent and would not stop: its machine is stopped by force',
      'are silent and would not stop: their machines are stopped by force',
    ],
    personCan: 'Resume it when its cause is found.',
  },
  hibernation_warning: {
    agents: ['is idle and will be hibernated', 'are idle and will be hibernated'],
    systemDoes: 'Any busy sample calls it off.',
    personCan: KEEP_ALIVE,
    commands: 'keep-alive',
  },
  agent_hibernated: {
    agents: ['was hibernated', 'were hibernated'],
    systemDoes: 'Its state is kept, and its machine costs only its disks.',
    personCan: 'Resume it when it is needed: POST /api/agents/<id>/resume.',
  },
  hibernation_failed: {
    agents: ['could not be hibernated', 'could not be hibernated'],
    systemDoes: 'Its machine still runs and costs money.',
    personCan: 'Look at its workflow for what EC2 said.',
  },
  resumption_failed: {
    agents: ['could not be resumed', 'could not be resumed'],
    personCan: 'Look at its workflow for what EC2 said, and ask again.',
  },
  agent_deleted: {
    agents: ['was deleted', 'were deleted'],
    systemDoes: 'Snapshots that were made of its volumes are kept.',
  },
  instance_lost: {
    agents: ['lost its machine without notice', 'lost their machines without notice'],
    systemDoes: 'A replacement is launched.',
  },
  termination_notice: {
    agents: [
      'was told by EC2 that its machine will be taken',
      'were told by EC2 that their machines will be taken',
    ],
    systemDoes: 'It is moved to another pool within the notice.',
  },
  switch_failed: {
    agents: ['could not be moved', 'could not be moved'],
    systemDoes: 'It stays where it is; if that machine is gone, it is tried again.',
  },
  needs_operator: {
    agents: ['needs a person', 'need a person'],
    personCan: 'Read what is said above: the system can’t go on by itself.',
  },
  instance_termination_failed: {
    agents: ['has an instance that could not be terminated', 'have instances that could not be terminated'],
    systemDoes: 'It is tried again every few minutes.',
    personCan: 'See to the permissions of the worker’s role if the message names them.',
  },
  intake_away: {
    systemDoes:
      'Agents ask again by themselves, and every lease is extended once heartbeats are stored again.',
    personCan: 'Start the API, or see to the database: /ready of each says what it lacks.',
  },
  mass_silence: {
    systemDoes:
      'No machine is stopped for it until a person has looked: so many at once point to the network or to this system.',
    personCan:
      'See whether the API can be reached from where the agents run, then say so: spotkeeper mass-silence looked-into.',
  },
  stop_switch_set: {
    systemDoes: 'What is held back goes on once the switch is lifted.',
    personCan: 'Lift it when what it was set for is over: spotkeeper stop-switch off.',
  },
  notification_failed: {
    systemDoes: 'What it should have said stays in the list of the channel’s deliveries.',
    personCan: 'See to the channel’s target, and send it a test.',
  },
};

export function wordsOf(eventType: string | null): EventWords | null {
  return (eventType !== null && Object.hasOwn(WORDS, eventType) && WORDS[eventType]) || null;
}
