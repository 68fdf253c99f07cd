/** The agent workflow's local activities: its writes to the books. */
import type { BookActivities } from '../contracts/activities';
import { commitCutOver, publishAgent } from '../db/agent-book';
import type { Db } from '../db/connect';

export function createBookActivities(db: Db): BookActivities {
  return {
    publishAgent: (publication) => publishAgent(db, publication),
    commitCutOver: (cutOver) => commitCutOver(db, cutOver),
  };
}
