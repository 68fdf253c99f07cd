/**
 * The temporary keys that an instance with a profile finds in its metadata: of the role with the profile's name, new
 * every hour and good for six, so that who reads them has hours left.
 */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { uniqueId } from '../services/callers';
import type { SessionCredentials } from '../sts/session-credentials';

const RENEWED_AFTER_SECONDS = 3600;
const VALID_SECONDS = 6 * 3600;

export class RoleCredentials {
  constructor(
    private readonly cloud: Cloud,
    private readonly sessions: SessionCredentials,
  ) {}

  /** `iam/info`. */
  info(profile: string): string {
    const arn = `arn:aws:iam::${this.cloud.accountId}:instance-profile/${profile}`;
    return json({
      Code: 'Success',
      LastUpdated: this.#wall(this.#renewedAt()),
      InstanceProfileArn: arn,
      InstanceProfileId: uniqueId('AIPA', arn),
    });
  }

  /** `iam/security-credentials/<role>`. */
  credentials(instance: Instance, role: string): string {
    const renewedAt = this.#renewedAt();
    const expiresAt = renewedAt + VALID_SECONDS * this.cloud.clock.speed;
    const { accessKeyId, secretAccessKey, sessionToken } = this.sessions.issue({
      roleArn: `arn:aws:iam::${this.cloud.accountId}:role/${role}`,
      sessionName: instance.id,
      expiresAt,
    });
    return json({
      Code: 'Success',
      LastUpdated: this.#wall(renewedAt),
      Type: 'AWS-HMAC',
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: sessionToken,
      Expiration: this.#wall(expiresAt),
    });
  }

  /** Cloud second. The keys' life is counted in real seconds, as who holds them counts it. */
  #renewedAt(): number {
    const { clock } = this.cloud;
    const every = RENEWED_AFTER_SECONDS * clock.speed;
    return Math.floor(clock.now() / every) * every;
  }

  #wall(second: number): string {
    return `${this.cloud.clock.wallAt(second).toISOString().slice(0, 19)}Z`;
  }
}

function json(document: object): string {
  return JSON.stringify(document, null, 2);
}
