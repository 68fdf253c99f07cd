/** A launch in whichever pool has room: CreateFleet `instant`, which answers with instances and errors together. */
import {
  CreateFleetCommand,
  type CreateFleetCommandInput,
  type CreateFleetError,
  CreateLaunchTemplateCommand,
  DeleteLaunchTemplateCommand,
  type LaunchTemplateAndOverridesResponse,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import type { Pool, PurchaseOption } from '../contracts/states';
import { ask, ec2Call, tagList } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { CloudError } from './cloud-error';
import { classifyAwsError } from './aws-errors';
import type { FleetLaunch, FleetSpec } from './instance-port';

export async function launchAcross({ changes }: AwsClients, spec: FleetSpec): Promise<FleetLaunch> {
  const option = onlyOption(spec);
  // A fleet takes its user data from a launch template alone, so each launch has one, under a name that a repeat finds.
  const template = templateName(spec.clientToken);
  await createTemplate(changes, spec, template);
  const call = ec2Call('CreateFleet', `for ${option} in ${spec.pools.length} pools`);
  let launch: FleetLaunch;
  try {
    const reply = await ask(call, () =>
      changes.send(new CreateFleetCommand(fleetInput(spec, option, template))),
    );
    launch = {
      instances: (reply.Instances ?? []).flatMap(({ InstanceIds, LaunchTemplateAndOverrides, ...where }) => {
        const pool = poolOf(LaunchTemplateAndOverrides, option) ?? {
          instanceType: where.InstanceType ?? '',
          zone: where.AvailabilityZone ?? '',
          option,
        };
        return (InstanceIds ?? []).map((instanceId) => ({ instanceId, pool }));
      }),
      errors: (reply.Errors ?? []).map((error) => poolError(error, option)),
    };
  } catch (error) {
    // A repeat with the same token needs the template as it was.
    if (!isRepeated(error as CloudError)) await deleteTemplate(changes, template);
    throw error;
  }
  await deleteTemplate(changes, template);
  return launch;
}

function isRepeated({ kind, ambiguous }: CloudError): boolean {
  return ambiguous || kind === 'retry' || kind === 'throttled';
}

/** 35 letters of the token's 64: as good as unique, and within the 128 of a template's name. */
export function templateName(clientToken: string): string {
  return `spotkeeper-${clientToken.slice(0, 35)}`;
}

function onlyOption({ pools }: FleetSpec): PurchaseOption {
  const options = new Set(pools.map(({ option }) => option));
  const [option] = options;
  if (option === undefined || options.size > 1) {
    throw new CloudError(
      { kind: 'never', code: 'MixedPools' },
      `A fleet launch of ${pools.length} pools asks for ${[...options].join(' and ') || 'nothing'}; it takes pools of one purchase option, so spot and on-demand are two launches.`,
    );
  }
  return option;
}

async function createTemplate(changes: AwsClients['changes'], spec: FleetSpec, name: string): Promise<void> {
  try {
    await ask(ec2Call('CreateLaunchTemplate', name), () =>
      changes.send(
        new CreateLaunchTemplateCommand({
          // No token: the name is the key, and a token would stand for a template that is deleted.
          LaunchTemplateName: name,
          TagSpecifications: [{ ResourceType: 'launch-template', Tags: tagList(spec.tags) }],
          LaunchTemplateData: {
            ImageId: spec.imageId,
            UserData: Buffer.from(spec.userData).toString('base64'),
            MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
            ...(spec.protectFromTermination && { DisableApiTermination: true }),
            ...(spec.hibernation && { HibernationOptions: { Configured: true } }),
          },
        }),
      ),
    );
  } catch (error) {
    // Of an earlier try of this launch; nobody else makes this name.
    if ((error as CloudError).code !== 'InvalidLaunchTemplateName.AlreadyExistsException') throw error;
  }
}

/** One left behind costs nothing, carries the launch's tags, and its error must not hide the launch. */
async function deleteTemplate(changes: AwsClients['changes'], name: string): Promise<void> {
  await ask(ec2Call('DeleteLaunchTemplate', name), () =>
    changes.send(new DeleteLaunchTemplateCommand({ LaunchTemplateName: name })),
  ).catch((error: unknown) => {
    if (!(error instanceof CloudError)) throw error;
  });
}

function fleetInput(spec: FleetSpec, option: PurchaseOption, template: string): CreateFleetCommandInput {
  return {
    ClientToken: spec.clientToken,
    Type: 'instant',
    LaunchTemplateConfigs: [
      {
        LaunchTemplateSpecification: { LaunchTemplateName: template, Version: '$Latest' },
        Overrides: spec.pools.map(({ instanceType, zone }, index) => ({
          InstanceType: instanceType as _InstanceType,
          AvailabilityZone: zone,
          Priority: index,
        })),
      },
    ],
    TargetCapacitySpecification: {
      TotalTargetCapacity: 1,
      DefaultTargetCapacityType: option === 'spot' ? 'spot' : 'on-demand',
    },
    ...(option === 'spot'
      ? {
          SpotOptions: {
            AllocationStrategy: 'capacity-optimized-prioritized',
            InstanceInterruptionBehavior: 'terminate',
          },
        }
      : { OnDemandOptions: { AllocationStrategy: 'prioritized' } }),
    TagSpecifications: [{ ResourceType: 'instance', Tags: tagList(spec.tags) }],
  };
}

function poolOf(chosen: LaunchTemplateAndOverridesResponse | undefined, option: PurchaseOption): Pool | null {
  const { InstanceType, AvailabilityZone } = chosen?.Overrides ?? {};
  return InstanceType && AvailabilityZone
    ? { instanceType: InstanceType, zone: AvailabilityZone, option }
    : null;
}

/** A refusal inside an answer of 200. `InvalidFleetConfiguration` is how a fleet says that a zone lacks a type. */
function poolError(
  { ErrorCode, ErrorMessage, LaunchTemplateAndOverrides }: CreateFleetError,
  option: PurchaseOption,
): FleetLaunch['errors'][number] {
  const pool = poolOf(LaunchTemplateAndOverrides, option);
  const where = pool ? `${pool.instanceType} in ${pool.zone}` : 'one of its pools';
  const Code = ErrorCode === 'InvalidFleetConfiguration' ? 'Unsupported' : (ErrorCode ?? 'Unknown');
  const error = { Code, message: ErrorMessage, $metadata: { httpStatusCode: 400 } };
  return { pool, error: classifyAwsError(error, ec2Call('CreateFleet', `for ${option} ${where}`)) };
}
