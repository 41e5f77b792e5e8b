/** All that the mode needs of a kernel, in memory. */
import { FakeIptables } from '../../../../linux/iptables/testing/fake-iptables.ts';
import { FakeIpset } from '../../../../linux/testing/fake-ipset.ts';
import { FakeIpvs } from '../../../../linux/testing/fake-ipvs.ts';
import type { IpvsModeKernel } from '../ipvs-mode.ts';
import { FakeServiceDevice } from './fake-service-device.ts';

export class FakeIpvsKernel implements IpvsModeKernel {
  readonly ipvs: FakeIpvs;
  readonly ipset: FakeIpset = new FakeIpset();
  readonly iptables: FakeIptables = new FakeIptables();
  /** Of the backend that the tools do not use. */
  readonly other: FakeIptables = new FakeIptables();
  readonly device: FakeServiceDevice = new FakeServiceDevice();
  readonly sysctls: Map<string, string> = new Map();
  /** Those that modprobe was asked for. */
  readonly modules: string[] = [];

  constructor(ipvs: FakeIpvs = new FakeIpvs()) {
    this.ipvs = ipvs;
    const rules = (): string => [this.iptables, this.other].flatMap((one) => [one.dump('ip'), one.dump('ip6')]).join('\n');
    this.ipset.isUsed = (name) => rules().includes(`--match-set ${name} `);
  }

  otherBackend(): Promise<FakeIptables> {
    return Promise.resolve(this.other);
  }

  setSysctl(name: string, value: string): boolean {
    const changed = this.sysctls.get(name) !== value;
    this.sysctls.set(name, value);
    return changed;
  }

  async loadModules(names: readonly string[]): Promise<void> {
    this.modules.push(...names);
  }

  /** Everything but sysctls, the same for the same rules. */
  dump(): string {
    return [this.device.dump(), this.ipvs.dump(), this.ipset.dump(), this.iptables.dump('ip'), this.iptables.dump('ip6')].join('\n');
  }

  close(): void {}
}
