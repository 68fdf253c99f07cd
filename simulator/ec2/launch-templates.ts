/** CreateLaunchTemplate, CreateLaunchTemplateVersion, DescribeLaunchTemplates, DeleteLaunchTemplate. */
import type { Tags } from '../books/entities';
import type { LaunchTemplate, LaunchTemplateVersion } from '../books/launch-entities';
import type { Cloud } from '../cloud';
import { newId } from '../ids';
import { requestFingerprint } from '../instances/client-tokens';
import { Ec2Error, invalid, missing } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { mismatch } from './idempotency';
import { LAUNCH_PARAMETERS, readClientToken, readUserData } from './launch-request';
import { findTemplate, templateById, templateByName, templatesOf } from './launch-template-data';
import { wholeSecond } from './instance-xml';
import { readPage, takePage } from './paging';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import { readTagSpecifications, tagSet } from './tags';
import type { XmlElements } from './xml';

/** The data is looked at when something is launched of it, as at EC2; only its user data must be base64 at once. */
export const createLaunchTemplate: Ec2Action = {
  parameters: [
    ...['LaunchTemplateName', 'LaunchTemplateData', 'VersionDescription', 'TagSpecification'],
    ...['ClientToken', 'DryRun', 'Operator'],
  ],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const name = readName(parameters);
    const data = readData(parameters);
    const tags = readTagSpecifications(parameters, 'launch-template', []);
    const token = templateToken(request);
    const known = token && knownTemplate(cloud, token);
    if (known) return { launchTemplate: templateXml(cloud, known) };
    if (templatesOf(cloud, region).some((template) => template.name === name)) {
      throw new Ec2Error(
        'InvalidLaunchTemplateName.AlreadyExistsException',
        'Launch template name already in use.',
      );
    }
    refuseDryRun(parameters);
    const version: LaunchTemplateVersion = {
      number: 1,
      description: parameters.text('VersionDescription'),
      createdAt: now,
      data,
    };
    const template: LaunchTemplate = {
      id: newId('lt'),
      ...{ region, name, tags, createdAt: now, defaultVersion: 1, versions: [version] },
    };
    cloud.books.commit(now, [
      ['launchTemplate', template.id, template],
      ...(token
        ? [['token', token.key, { fingerprint: token.fingerprint, instanceIds: [template.id] }] as const]
        : []),
    ]);
    return { launchTemplate: templateXml(cloud, template) };
  },
};

export const createLaunchTemplateVersion: Ec2Action = {
  parameters: [
    ...['LaunchTemplateId', 'LaunchTemplateName', 'LaunchTemplateData', 'VersionDescription'],
    ...['SourceVersion', 'ClientToken', 'DryRun', 'ResolveAlias'],
  ],
  run({ cloud, region, parameters, now }) {
    const template = findTemplate(cloud, region, parameters);
    const source = parameters.integer('SourceVersion', { min: 1, max: 1_000_000 });
    const from = template.versions.find(({ number }) => number === source);
    if (source !== null && !from) {
      throw new Ec2Error(
        'InvalidLaunchTemplateId.VersionNotFound',
        `Could not find launch template version '${source}' of launch template '${template.id}'.`,
      );
    }
    const version: LaunchTemplateVersion = {
      number: (template.versions.at(-1)?.number ?? 0) + 1,
      description: parameters.text('VersionDescription'),
      createdAt: now,
      data: { ...from?.data, ...readData(parameters) },
    };
    refuseDryRun(parameters);
    const changed = { ...template, versions: [...template.versions, version] };
    cloud.books.commit(now, [['launchTemplate', template.id, changed]]);
    return {
      launchTemplateVersion: {
        launchTemplateId: template.id,
        launchTemplateName: template.name,
        versionNumber: version.number,
        versionDescription: version.description,
        createTime: wholeSecond(cloud.clock.wallAt(now)),
        createdBy: creator(cloud),
        defaultVersion: false,
      },
    };
  },
};

export const describeLaunchTemplates: Ec2Action = {
  parameters: ['LaunchTemplateId', 'LaunchTemplateName', 'Filter', 'MaxResults', 'NextToken', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const page = readPage(parameters, { min: 1, max: 200, usual: 200 });
    const ids = parameters.list('LaunchTemplateId').map((id) => templateById(cloud, region, id));
    const named = parameters.list('LaunchTemplateName').map((name) => templateByName(cloud, region, name));
    const asked = [...new Set([...ids, ...named])];
    const matches = readFilters(parameters, filterValues, SAMPLE);
    const known = asked.length > 0 ? asked : templatesOf(cloud, region);
    const { items, nextToken } = takePage(known.filter(matches), page, now);
    return { launchTemplates: items.map((template) => templateXml(cloud, template)), nextToken };
  },
};

export const deleteLaunchTemplate: Ec2Action = {
  parameters: ['LaunchTemplateId', 'LaunchTemplateName', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const template = findTemplate(cloud, region, parameters);
    refuseDryRun(parameters);
    cloud.books.commit(now, [['launchTemplate', template.id, null]]);
    return { launchTemplate: templateXml(cloud, template) };
  },
};

function readName(parameters: QueryParameters): string {
  const name = parameters.required('LaunchTemplateName');
  if (!/^[\w().\-/]{3,128}$/.test(name)) {
    throw new Ec2Error(
      'InvalidLaunchTemplateName.MalformedException',
      "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the characters: '(', ')', '.', '-', '/' and '_'",
    );
  }
  return name;
}

function readData(parameters: QueryParameters): Record<string, string> {
  const group = parameters.group('LaunchTemplateData');
  const data = group.entries();
  if (Object.keys(data).length === 0) throw missing('LaunchTemplateData');
  const stranger = Object.keys(data).find((name) => !LAUNCH_PARAMETERS.includes(name.split('.')[0] ?? ''));
  if (stranger !== undefined) throw invalid(`The launch template parameter ${stranger} is not supported`);
  readUserData(group.text('UserData'));
  return data;
}

interface TokenOfTemplate {
  readonly key: string;
  readonly fingerprint: string;
}

function templateToken({ region, parameters }: Ec2Request): TokenOfTemplate | null {
  const token = readClientToken(parameters);
  if (token === null) return null;
  return { key: `CreateLaunchTemplate/${region}/${token}`, fingerprint: requestFingerprint(parameters.flat) };
}

/** What the token made, while it is there. @throws Ec2Error when it stands for something else. */
function knownTemplate(cloud: Cloud, { key, fingerprint }: TokenOfTemplate): LaunchTemplate | undefined {
  const use = cloud.books.get('token', key);
  const template = use && cloud.books.get('launchTemplate', use.instanceIds[0] ?? '');
  if (template && use.fingerprint !== fingerprint) throw mismatch();
  return template;
}

function templateXml(cloud: Cloud, template: LaunchTemplate): XmlElements {
  return {
    launchTemplateId: template.id,
    launchTemplateName: template.name,
    createTime: wholeSecond(cloud.clock.wallAt(template.createdAt)),
    createdBy: creator(cloud),
    defaultVersionNumber: template.defaultVersion,
    latestVersionNumber: template.versions.at(-1)?.number ?? 1,
    tagSet: tagSet(template.tags),
  };
}

function creator({ accountId }: Cloud): string {
  return `arn:aws:iam::${accountId}:root`;
}

function filterValues(
  { name, tags }: { name: string; tags: Tags },
  filter: string,
): readonly string[] | null {
  return filter === 'launch-template-name' ? [name] : tagFilterValues(tags, filter);
}

const SAMPLE = { name: '', tags: {} } as LaunchTemplate;
