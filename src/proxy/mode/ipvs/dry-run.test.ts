import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planScenario } from '../../testing/scenario.ts';
import { scenarios } from '../../testing/scenarios.ts';
import { Owners } from '../owners.ts';
import { ownerOf } from './dry-run.ts';

const { scenario } = scenarios.find(({ title }) => title === 'web') ?? assert.fail();
const owners = new Owners(planScenario(scenario).plans.values());

describe('ownerOf()', () => {
  const cases: readonly [command: string, service: string | undefined][] = [
    ['ipvsadm -A -t 10.96.0.100:80 -s rr', 'default/web'],
    ['ipvsadm -a -t 10.96.0.101:80 -r 10.244.1.2:8080 -m -w 1', 'default/web-nodeport'],
    ['ipvsadm -D -t 192.168.120.11:30080', 'default/web-nodeport'],
    ['ipvsadm -D -u 192.168.120.11:30080', undefined],
    ['ipvsadm -A -f 7 -s rr', undefined],
    ['ipset add KUBE-CLUSTER-IP 10.96.0.100,tcp:80', 'default/web'],
    ['ipset del KUBE-NODE-PORT-TCP 30080', 'default/web-nodeport'],
    ['ipset del KUBE-NODE-PORT-UDP 30080', undefined],
    ['ipset add KUBE-IPVS-IPS 10.96.0.101', 'default/web-nodeport'],
    ['ipset add KUBE-CLUSTER-IP 10.96.0.99,tcp:80', undefined],
    ['ipset create KUBE-CLUSTER-IP hash:ip,port family inet', undefined],
    ['ip addr add 10.96.0.100 dev kube-ipvs0', 'default/web'],
    ['ip link add kube-ipvs0 type dummy', undefined],
    ['iptables -t nat -A KUBE-MARK-MASQ -j RETURN', undefined],
  ];
  for (const [command, service] of cases)
    test(`"${command}" is of ${service ?? 'nobody'}`, () => assert.equal(ownerOf(command, owners), service));

  test('has the endpoint that reaches itself under one of its Services', () =>
    assert.match(ownerOf('ipset add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2', owners) ?? '', /^default\/web/));
});
