/** Whoever can write Services could draw packets for any address to their pods (CVE-2020-8554): no new use of `externalIPs`. Off unless enabled. */
import { services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import { type AdmissionPlugin, isWriteOf, refused } from './admission.ts';

export const denyServiceExternalIps: AdmissionPlugin = {
  validate: (request) => {
    const { operation, object, old } = request;
    if (!isWriteOf(request, services) || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
    const had = new Set((old as Service | undefined)?.spec?.externalIPs ?? []);
    // Those that are there already may stay, and be taken away one by one.
    if (((object as Service).spec?.externalIPs ?? []).every((ip) => had.has(ip))) return;
    throw refused(request, 'Use of external IPs is denied by admission control.');
  },
};
