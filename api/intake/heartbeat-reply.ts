/** What the sender of a stored heartbeat is told. */
import type { HeartbeatAction, HeartbeatReply, StatusReply } from '../../contracts/http';
import type { Standing } from '../../db/heartbeat-news';

/** A candidate's health decides a switch, a replica's its promotion, so it is asked for sooner. */
const CANDIDATE_INTERVAL_SECONDS = 5;

export function replyOf(dialect: 'heartbeat' | 'status', standing: Standing): StatusReply {
  return dialect === 'status' ? statusReply(standing) : heartbeatReply(standing);
}

/** Dumont's shape. */
function statusReply(standing: Standing): StatusReply {
  const { role, intervalSeconds, warning } = standing;
  const candidateInterval = Math.min(intervalSeconds, CANDIDATE_INTERVAL_SECONDS);
  return {
    success: true,
    message: warning ? 'Low utilization detected' : 'Heartbeat received',
    next_heartbeat_in_seconds:
      role === 'candidate' || role === 'replica' ? candidateInterval : intervalSeconds,
    actions: actionsOf(standing),
  };
}

function heartbeatReply(standing: Standing): HeartbeatReply {
  const reply = statusReply(standing) as HeartbeatReply;
  reply.incarnation = standing.incarnation;
  reply.role = standing.role;
  reply.config_revision = standing.configRevision;
  return reply;
}

function actionsOf({ role, currentIncarnation, warning }: Standing): HeartbeatAction[] {
  if (role === 'superseded') {
    return [
      {
        type: 'stand_down',
        message: `This instance is no longer the agent: its incarnation is now ${currentIncarnation}. Stop acting for it.`,
        incarnation: currentIncarnation,
      },
    ];
  }
  if (warning === null) return [];
  const seconds = Math.ceil(warning.secondsLeft);
  return [
    {
      type: 'hibernate_warning',
      message: `${capital(warning.reason || 'the machine is idle')}. Hibernating in ${durationOf(seconds)}.`,
      countdown_seconds: seconds,
    },
  ];
}

function durationOf(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
