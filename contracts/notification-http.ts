/** The HTTP API's requests and replies about notification channels. */
import { z } from 'zod';
import { type ChannelKind, type DeliveryStatus, SEVERITIES, type Severity } from './notifications';

const nameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}]*$/u, 'holds control characters');

const targetSchema = z.string().trim().min(1).max(2000);

const severitySchema = z.enum(SEVERITIES);

const eventTypesSchema = z
  .array(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'is not a type of event such as agent_hibernated'))
  .max(50)
  .transform((types) => [...new Set(types)]);

const messagesPerHourSchema = z.number().int().min(1).max(3600);

const KIND_SENTENCE = 'is slack, email or webhook';

export const createChannelRequestSchema = z.object({
  kind: z.enum(['slack', 'email', 'webhook'], { error: KIND_SENTENCE }),
  name: nameSchema,
  /** An address; for email one or more, with commas between them. */
  target: targetSchema,
  minimum_severity: severitySchema.default('warning'),
  /** Told whatever their severity. */
  event_types: eventTypesSchema.default([]),
  messages_per_hour: messagesPerHourSchema.default(30),
  enabled: z.boolean().default(true),
});

/** What is left out stays as it is. */
export const changeChannelRequestSchema = z
  .object({
    name: nameSchema.optional(),
    target: targetSchema.optional(),
    minimum_severity: severitySchema.optional(),
    event_types: eventTypesSchema.optional(),
    messages_per_hour: messagesPerHourSchema.optional(),
    enabled: z.boolean().optional(),
    /** Webhooks: the old secret ends with it. */
    rotate_secret: z.boolean().optional(),
  })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), {
    error: 'it names nothing to change',
  });
export type ChannelChanges = z.output<typeof changeChannelRequestSchema>;

export interface ChannelView {
  id: string;
  /** Null for one of the whole system's. */
  client_id: string | null;
  kind: ChannelKind;
  name: string;
  /** Without what in it is secret. */
  target: string;
  minimum_severity: Severity;
  event_types: string[];
  messages_per_hour: number;
  enabled: boolean;
  created_at: string;
  updated_at: string;
}

/** With a secret that was made by this request: shown this once. */
export interface ChannelReply extends ChannelView {
  secret?: string;
}

export interface DeliveryView {
  id: string;
  kind: 'events' | 'test';
  status: DeliveryStatus;
  title: string;
  events: number;
  attempts: number;
  /** Of the latest attempt that failed. */
  last_error: string | null;
  response_status: number | null;
  created_at: string;
  last_attempt_at: string | null;
  delivered_at: string | null;
}

export interface ChannelTestReply {
  delivered: boolean;
  /** Null while it is still being tried. */
  delivery_id: string | null;
  message: string;
}
