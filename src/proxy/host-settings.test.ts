import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { type ConntrackConfiguration, configDefaults } from './config/kube-proxy-configuration.ts';
import { applyConntrack, conntrackMax, conntrackSysctls, type Sysctls } from './host-settings.ts';

const { conntrack } = configDefaults;
const limit = 'net/netfilter/nf_conntrack_max';
const established = 'net/netfilter/nf_conntrack_tcp_timeout_established';

describe('conntrackMax()', () => {
  const cases: [maxPerCore: number, min: number, cores: number, max: number][] = [
    [32_768, 131_072, 2, 131_072],
    [32_768, 131_072, 8, 262_144],
    [10, 0, 3, 30],
    [0, 131_072, 64, 0],
  ];
  for (const [maxPerCore, min, cores, max] of cases)
    test(`${maxPerCore} for each of ${cores} cores, ${min} at least, is ${max}`, () =>
      assert.equal(conntrackMax({ maxPerCore, min }, cores), max));
});

test('conntrackSysctls() names what is wanted, in seconds, and nothing that stays as it is', () => {
  assert.deepEqual(Object.fromEntries(conntrackSysctls(conntrack)), {
    [established]: '86400',
    'net/netfilter/nf_conntrack_tcp_timeout_close_wait': '3600',
  });
  const asked = { ...conntrack, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' };
  assert.deepEqual(Object.fromEntries(conntrackSysctls({ ...asked, tcpBeLiberal: true, udpTimeout: '1m', udpStreamTimeout: '1500ms' })), {
    'net/netfilter/nf_conntrack_udp_timeout': '60',
    'net/netfilter/nf_conntrack_udp_timeout_stream': '1',
    'net/netfilter/nf_conntrack_tcp_be_liberal': '1',
  });
});

describe('applyConntrack()', () => {
  /** What a kernel with these settings has afterwards. */
  function after(settings: Record<string, string>, wanted: Partial<ConntrackConfiguration> = {}, readOnly: readonly string[] = []): object {
    const kernel = { ...settings };
    const sysctls: Sysctls = {
      read: (name) => kernel[name],
      set(name, value) {
        if (readOnly.includes(name)) throw new Error('EROFS');
        kernel[name] = value;
      },
    };
    applyConntrack({ ...conntrack, tcpCloseWaitTimeout: '0s', ...wanted }, silentLog, sysctls);
    return kernel;
  }

  test('raises the limit, and sets the time-outs', () => {
    const max = String(Math.max(131_072, availableParallelism() * 32_768));
    assert.deepEqual(after({ [limit]: '65536', [established]: '432000' }), { [limit]: max, [established]: '86400' });
  });
  test('leaves a limit that is higher', () => {
    assert.deepEqual(after({ [limit]: '99999999' }), { [limit]: '99999999' });
  });
  test('leaves a limit when it is told to', () => {
    assert.deepEqual(after({ [limit]: '1' }, { maxPerCore: 0 }), { [limit]: '1' });
  });
  test('goes on when one setting is read-only', () => {
    assert.deepEqual(
      after({ [limit]: '99999999', [established]: '1', 'net/netfilter/nf_conntrack_udp_timeout': '30' }, { udpTimeout: '9s' }, [
        established,
      ]),
      {
        [limit]: '99999999',
        [established]: '1',
        'net/netfilter/nf_conntrack_udp_timeout': '9',
      },
    );
  });
  test('sets nothing that this kernel does not have', () => {
    assert.deepEqual(after({}), {});
  });
});
