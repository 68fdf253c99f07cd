import type { StsAction } from './sts-service';

/** Whoever has keys may ask who they are. */
export const getCallerIdentity: StsAction = ({ caller }) => ({
  Arn: caller.arn,
  UserId: caller.userId,
  Account: caller.accountId,
});
