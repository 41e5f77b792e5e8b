import { configMaps, services } from '../api/resource-types.ts';
import { silentLog } from '../observability/log.ts';
import { openMetal } from './metal/metal.ts';
import { CloudBed } from './testing/cloud-bed.ts';
import { machine, type ProviderSubject, providerConformance } from './testing/conformance.ts';

/** A subject whose provider `open` makes. */
async function subjectOf(open: (bed: CloudBed) => ProviderSubject['provider']): Promise<ProviderSubject> {
  const bed = new CloudBed();
  const provider = open(bed);
  await bed.deliver();
  await provider.loadBalancers?.ready;
  return {
    provider,
    bed,
    node: machine,
    async show(service) {
      const shown = bed.put(services, service);
      await bed.deliver();
      return shown;
    },
    [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
  };
}

providerConformance('fake', () =>
  subjectOf(({ provider }) => {
    provider.instances.machines.set('worker-1', { providerID: 'fake://1' });
    return provider;
  }),
);

providerConformance('metal', () =>
  subjectOf((bed) => {
    const config = 'address-pools: [{name: default, addresses: [192.0.2.10-192.0.2.20]}]';
    bed.put(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'pools', namespace: 'kube-system' },
      data: { config },
    });
    return openMetal({ ...bed.context, log: silentLog }, { configMap: 'kube-system/pools', pools: [] });
  }),
);
