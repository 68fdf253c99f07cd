/** Who we are to AWS, and what we may do. */

export interface CallerIdentity {
  /** Twelve digits. */
  accountId: string;
  arn: string;
}

/** Actions that change something, and so are worth asking about. */
export const PROBED_ACTIONS = [
  'AttachVolume',
  'CancelSpotInstanceRequests',
  'CreateFleet',
  'CreateImage',
  'CreateSnapshot',
  'CreateTags',
  'DeleteSnapshot',
  'DeregisterImage',
  'DetachVolume',
  'RunInstances',
  'StartInstances',
  'StopInstances',
  'TerminateInstances',
] as const;
export type ProbedAction = (typeof PROBED_ACTIONS)[number];

/** Real things to ask about: policies often allow an action by the tags of what it is on. */
export interface ProbeTargets {
  instanceId: string;
  imageId: string;
  instanceType: string;
  volumeId: string;
  snapshotId: string;
  spotRequestId: string;
  /** For CreateFleet: the name of a launch template. */
  launchTemplateName: string;
}

export type Permission =
  | { answer: 'allowed' }
  /** The sentence names the missing action. */
  | { answer: 'denied'; message: string }
  /** AWS refused the question itself, most often for a target that isn't there. */
  | { answer: 'unclear'; message: string };

export interface IdentityPort {
  /** STS GetCallerIdentity, which needs no permission; of the assumed role where one is assumed. */
  caller(): Promise<CallerIdentity>;
  /** Asks EC2 by dry run, which changes nothing. An action without its targets is `unclear`. */
  permissions(
    actions: readonly ProbedAction[],
    targets: Partial<ProbeTargets>,
  ): Promise<Map<ProbedAction, Permission>>;
}
