/** What an instance is told at its launch: the JSON in its user data, before base64. */
import { z } from 'zod';

export const userDataSchema = z.object({
  spotkeeper: z.object({
    server_url: z.url(),
    logical_agent_id: z.string().min(1),
    /** On an instance that a person launches. */
    client_token: z.string().min(1).optional(),
    /** On one that we launch: registers this one instance, once. */
    launch_id: z.string().min(1).optional(),
  }),
});
export type UserData = z.infer<typeof userDataSchema>;
