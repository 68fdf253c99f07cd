/** The database's environment variables. */
import { z } from 'zod';

export const databaseVariables = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/)
    .describe(
      'the address of a PostgreSQL database, such as postgresql://user:password@host:5432/spotkeeper',
    ),
};
