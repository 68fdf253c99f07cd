/**
 * The default converter, but for payloads that it can't read. Anyone with a terminal can signal a workflow, and one
 * signal in an encoding that nobody knows would otherwise fail every workflow task from then on. What can't be read
 * becomes a value that no message check lets pass. (Activities and children are ours and always send JSON.)
 */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

export interface Unreadable {
  unreadablePayload: string;
}

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch (error) {
      const unreadable: Unreadable = { unreadablePayload: (error as Error).message };
      return unreadable as T;
    }
  },
};
