import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planScenario } from '../testing/scenario.ts';
import { scenarios } from '../testing/scenarios.ts';
import { modes } from './modes.ts';
import type { TraceStep } from './view.ts';
import { views } from './views.ts';

test('every mode but userspace has a view, under its own name', async () => {
  assert.deepEqual(
    Object.keys(views),
    Object.keys(modes).filter((mode) => mode !== 'userspace'),
  );
  for (const [name, load] of Object.entries(views)) assert.equal((await load()).name, name);
});

/** What a rule of the explanation is in the rendered text: without the tool and its verb. */
const bodyOf: Readonly<Record<string, (command: string) => string>> = {
  nftables: (command) =>
    command.replace(/^nft add (?:element \S+ \S+ \S+ \{ (.*) \}|rule \S+ \S+ \S+ (.*)|(?:set|map) \S+ \S+ (\S+) .*)$/, '$1$2$3'),
  iptables: (command) => command.replace(/^ip6?tables -t \w+ /, ''),
  ipvs: (command) => command.replace(/^(?:ipvsadm|ipset|ip6?tables -t nat|ip addr add) /, '').replace(/ dev .*$/, ''),
};

for (const [name, load] of Object.entries(views))
  describe(`the view of mode ${name}`, () => {
    test('explains what the rendered rules have, for every Service of every scenario', async () => {
      const view = await load();
      for (const { title, scenario } of scenarios) {
        const { plans } = planScenario(scenario, view.algorithms);
        const { text } = view.render(plans.values(), scenario.node);
        for (const plan of plans.values()) {
          const explained = view.explain(plan, scenario.node);
          assert.ok(explained.length > 0, `${title}: ${plan.key}`);
          for (const { text: command, why } of explained) {
            const body = bodyOf[name]?.(command) ?? '';
            assert.ok(body !== command && text.includes(body), `${title}: ${command}`);
            assert.match(why, /^[a-z]/, command);
          }
        }
      }
    });

    test('tells the rules that a packet meets, and where it is sent', async () => {
      const view = await load();
      const { scenario } = scenarios.find(({ title }) => title === 'web') ?? assert.fail();
      const { plans } = planScenario(scenario, view.algorithms);
      const rendered = view.render(plans.values(), scenario.node);
      const steps: TraceStep[] = [];
      const packet = { from: '10.244.1.100', sourcePort: 1, to: '10.96.0.100', port: 80, protocol: 'tcp', interface: 'veth0' };
      rendered.tracer(['192.168.120.11', '127.0.0.1'])(packet, (step) => steps.push(step));
      assert.ok(steps.every(({ rule }) => rendered.text.includes(rule)));
      assert.ok(
        steps.some(({ rule, found = '' }) => `${rule} ${found}`.includes('10.244.1.2')),
        JSON.stringify(steps),
      );
      assert.doesNotThrow(() => JSON.stringify(rendered.document()));
      assert.match(JSON.stringify(rendered.document()), /10\.96\.0\.100/);
    });
  });
