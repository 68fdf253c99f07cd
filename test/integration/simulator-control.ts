/** The simulated cloud's control API and metadata service, as its tests talk to them. */
import type { Simulator } from '../harness/simulator';

export interface InstanceView {
  instance_id: string;
  state: string;
  zone: string;
  metadata_url: string;
  agent_pid: number | null;
  agent_home: string;
  notice: { action: string; time: string } | null;
}

/** POST with a body, else GET. @throws Error with the status and sentence of a refusal. */
export async function control<T>(simulator: Simulator, path: string, body?: object): Promise<T> {
  const response = await fetch(simulator.ready.controlUrl + path, {
    ...(body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(`${response.status} ${answer.error}`);
  return answer;
}

/** The next event of a kind after a number, of one instance if given. */
export function nextEvent(
  simulator: Simulator,
  kind: string,
  { after = 0, instanceId }: { after?: number; instanceId?: string } = {},
): Promise<{ number: number; time: string; instance_id?: string; pid?: number; image_id?: string }> {
  const query = new URLSearchParams({ kind, after: String(after), timeout_seconds: '20' });
  if (instanceId !== undefined) query.set('instance_id', instanceId);
  return control(simulator, `/events/wait?${query}`);
}

export async function metadataToken(endpoint: string, ttl = '60'): Promise<string> {
  const response = await fetch(`${endpoint}/latest/api/token`, {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': ttl },
  });
  if (!response.ok) throw new Error(`The token was refused with ${response.status}.`);
  return response.text();
}

/** A document of the metadata service: status and text. */
export async function metadata(
  endpoint: string,
  path: string,
  token?: string,
): Promise<{ status: number; text: string }> {
  const headers = { 'x-aws-ec2-metadata-token': token ?? (await metadataToken(endpoint)) };
  const response = await fetch(`${endpoint}/latest/${path}`, { headers });
  return { status: response.status, text: await response.text() };
}
