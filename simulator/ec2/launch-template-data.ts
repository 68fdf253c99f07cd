/**
 * Launch templates as launches use them: a template's data is RunInstances' own parameters, and what a request gives itself
 * comes before it. Tags of both count.
 */
import type { Tags } from '../books/entities';
import type { LaunchTemplate, LaunchTemplateVersion } from '../books/launch-entities';
import type { Cloud } from '../cloud';
import { Ec2Error, invalid, missing } from './errors';
import { LAUNCH_PARAMETERS } from './launch-request';
import { QueryParameters } from './query-parameters';
import type { Ec2Request } from './request';

export interface ChosenVersion {
  readonly template: LaunchTemplate;
  readonly version: LaunchTemplateVersion;
  /** As it was asked for: `$Latest`, `$Default` or a number. */
  readonly asked: string;
}

/** The request's parameters with its template's behind them, and the tags by which EC2 notes the template. */
export function withLaunchTemplate({ cloud, region, parameters }: Ec2Request): {
  parameters: QueryParameters;
  systemTags: Tags;
} {
  if (!parameters.has('LaunchTemplate')) return { parameters, systemTags: {} };
  const chosen = chooseVersion(cloud, region, parameters.group('LaunchTemplate'));
  return {
    parameters: mergeTemplate(chosen.version, parameters.entries()),
    systemTags: templateTags(chosen),
  };
}

export function templateTags({ template, version }: ChosenVersion): Tags {
  return {
    'aws:ec2launchtemplate:id': template.id,
    'aws:ec2launchtemplate:version': String(version.number),
  };
}

/** @throws Ec2Error when there is no such template or version. */
export function chooseVersion(cloud: Cloud, region: string, specification: QueryParameters): ChosenVersion {
  const template = findTemplate(cloud, region, specification);
  const asked = specification.text('Version') ?? '$Default';
  const latest = template.versions.at(-1)?.number;
  const number =
    asked === '$Latest' ? latest : asked === '$Default' ? template.defaultVersion : Number(asked);
  const version = template.versions.find((one) => one.number === number);
  if (!version) {
    throw new Ec2Error(
      'InvalidLaunchTemplateId.VersionNotFound',
      `Could not find launch template version '${asked}' of launch template '${template.id}'.`,
    );
  }
  return { template, version, asked };
}

/** By `LaunchTemplateId` or `LaunchTemplateName`. @throws Ec2Error when it isn't there. */
export function findTemplate(cloud: Cloud, region: string, specification: QueryParameters): LaunchTemplate {
  const id = specification.text('LaunchTemplateId');
  const name = specification.text('LaunchTemplateName');
  if (id !== null && name !== null) {
    throw invalid('Only one of the launch template ID and the launch template name may be given.');
  }
  if (id !== null) return templateById(cloud, region, id);
  if (name === null) throw missing('LaunchTemplateId');
  return templateByName(cloud, region, name);
}

export function templateById(cloud: Cloud, region: string, id: string): LaunchTemplate {
  if (!/^lt-[0-9a-f]{17}$/.test(id))
    throw new Ec2Error('InvalidLaunchTemplateId.Malformed', `Invalid id: "${id}" (expecting "lt-...")`);
  const template = cloud.books.get('launchTemplate', id);
  if (template?.region === region) return template;
  throw new Ec2Error(
    'InvalidLaunchTemplateId.NotFound',
    `The specified launch template, with template ID ${id}, does not exist.`,
  );
}

export function templateByName(cloud: Cloud, region: string, name: string): LaunchTemplate {
  const template = templatesOf(cloud, region).find((one) => one.name === name);
  if (template) return template;
  throw new Ec2Error(
    'InvalidLaunchTemplateName.NotFoundException',
    `The specified launch template, with template name ${name}, does not exist.`,
  );
}

export function templatesOf(cloud: Cloud, region: string): LaunchTemplate[] {
  return cloud.books.all('launchTemplate').filter((template) => template.region === region);
}

const TAGS = 'TagSpecification';
const PLACES = new Set(['Placement', 'SubnetId', 'NetworkInterface']);

/** What is given replaces what the template has under the same first name; a place replaces any other place. */
export function mergeTemplate(
  { data }: Pick<LaunchTemplateVersion, 'data'>,
  given: Readonly<Record<string, string>>,
): QueryParameters {
  const firsts = new Set(Object.keys(given).map(firstOf));
  const placed = [...firsts].some((first) => PLACES.has(first));
  const merged = new Map<string, string>();
  for (const [name, value] of Object.entries(data)) {
    const first = firstOf(name);
    const replaced = first !== TAGS && (firsts.has(first) || (placed && PLACES.has(first)));
    if (!replaced) merged.set(name, value);
  }
  for (const [name, value] of Object.entries(given)) {
    const first = firstOf(name);
    if (!LAUNCH_PARAMETERS.includes(first)) continue;
    merged.set(first === TAGS ? behindTemplates(name) : name, value);
  }
  return new QueryParameters(merged);
}

/** `TagSpecification.1.…` as a number that no template has. */
function behindTemplates(name: string): string {
  return name.replace(
    /^TagSpecification\.(\d{1,6})\b/,
    (_, index: string) => `${TAGS}.${1_000_000 + Number(index)}`,
  );
}

function firstOf(name: string): string {
  return name.split('.')[0] ?? name;
}
