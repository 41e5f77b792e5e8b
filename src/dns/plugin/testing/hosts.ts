/** A plugin as somebody would add it: like CoreDNS's hosts, it knows a few names and asks the next plugin for all others. */
import { RCODE, TYPE } from '../../message/names.ts';
import { addressRecord } from '../../message/records.ts';
import type { Plugin } from '../plugin.ts';

export interface HostsBlock {
  /** Address by name. */
  readonly entries: Readonly<Record<string, string>>;
}

export const hosts: Plugin<HostsBlock> = {
  name: 'hosts',
  setup: ({ entries }) => ({
    handle(request, next) {
      const { name, type } = request.query;
      const ip = entries[name];
      if (ip === undefined || type !== TYPE.A) return next(request);
      return { rcode: RCODE.NOERROR, authoritative: true, answers: [addressRecord(undefined, 60, ip)], authority: [], additional: [] };
    },
  }),
};
