import { Fetch } from '../../protocol/generated/fetch.ts';
import { ListOffsets } from '../../protocol/generated/list-offsets.ts';
import { Metadata } from '../../protocol/generated/metadata.ts';
import { Produce } from '../../protocol/generated/produce.ts';
import type { RequestGate } from '../server/dispatcher.ts';
import type { DataFolder } from './data-folder.ts';

/** What changes no service, and comes often; a Produce does only within a transaction. */
const harmless = new Set([Fetch.key, ListOffsets.key, Metadata.key]);

/** Has the services saved before a client learns that something was done. */
export function savingGate(folder: DataFolder): RequestGate {
  return {
    answered: ({ handler, message }, answer) => {
      const { key } = handler.api;
      const { transactionalId } = message as { readonly transactionalId?: string | null };
      const isPlainProduce = key === Produce.key && transactionalId === null;
      if (!harmless.has(key) && !isPlainProduce) folder.saveServices();
      return answer;
    },
  };
}
