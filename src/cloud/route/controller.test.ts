import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { CloudBed, cloudNode } from '../testing/cloud-bed.ts';
import { RouteController } from './controller.ts';
import { planRoutes } from './desired.ts';

const withRange = (name: string, ...podCIDRs: string[]): Node => cloudNode(name, { spec: { podCIDRs } });
const route = (node: string, destination: string, isBlackhole = false) => ({
  name: `${node}-${destination}`,
  node,
  destination,
  isBlackhole,
});

describe('planRoutes()', () => {
  const cases: [string, Node[], ReturnType<typeof route>[], string[], string[]][] = [
    ['makes one for each range of a node', [withRange('a', '10.244.1.0/24', 'fd00::/64')], [], ['a 10.244.1.0/24', 'a fd00::/64'], []],
    ['leaves what is right', [withRange('a', '10.244.1.0/24')], [route('a', '10.244.1.0/24')], [], []],
    ['removes that of a node that is gone', [], [route('a', '10.244.1.0/24')], [], ['a 10.244.1.0/24']],
    [
      'moves a range to the node that has it now',
      [withRange('b', '10.244.1.0/24')],
      [route('a', '10.244.1.0/24')],
      ['b 10.244.1.0/24'],
      ['a 10.244.1.0/24'],
    ],
    [
      'makes anew what leads nowhere',
      [withRange('a', '10.244.1.0/24')],
      [route('a', '10.244.1.0/24', true)],
      ['a 10.244.1.0/24'],
      ['a 10.244.1.0/24'],
    ],
    ['removes a route to the whole range', [], [route('a', '10.244.0.0/16')], [], ['a 10.244.0.0/16']],
    ["leaves routes outside the pods' ranges", [], [route('x', '192.168.0.0/24'), route('x', '10.0.0.0/8')], [], []],
  ];
  for (const [name, list, present, create, remove] of cases)
    test(name, () => {
      const plan = planRoutes(list, present, ['10.244.0.0/16']);
      const text = ({ node, destination }: { node: string; destination: string }): string => `${node} ${destination}`;
      assert.deepEqual([plan.create.map(text), plan.remove.map(text)], [create, remove]);
    });
});

test('the route controller makes routes and says on each node whether its network is there', async () => {
  await using bed = new CloudBed();
  bed.put(nodes, withRange('a', '10.244.1.0/24'));
  bed.put(nodes, withRange('b', '10.244.2.0/24'));
  bed.put(nodes, cloudNode('rangeless'));
  const { routes } = bed.provider;
  routes.routes = [route('gone', '10.244.9.0/24')];
  routes.unreachable.add('b');
  const controller = new RouteController(bed.context, routes);
  assert.deepEqual(await bed.listen(controller).deliver(), ['routes', 'routes', 'routes'].slice(0, 1));
  const { events, requeueAfter } = await bed.pass(controller, 'routes');
  assert.deepEqual(events, ['Warning FailedToCreateRoute Could not create route for node b 10.244.2.0/24: no room for more routes']);
  assert.equal(requeueAfter, 10_000);
  assert.deepEqual(
    routes.routes.map(({ name }) => name),
    ['kubernetes-10.244.1.0/24'],
  );
  const told = (name: string) =>
    bed.client.find(nodes, name)?.status?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
  assert.deepEqual(told('a'), ['NetworkUnavailable False RouteCreated']);
  assert.deepEqual(told('b'), ['NetworkUnavailable True NoRouteCreated']);
  assert.equal(told('rangeless'), undefined);

  routes.unreachable.clear();
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, 'routes')).writes, ['patch nodes/status b']);
  assert.deepEqual(told('b'), ['NetworkUnavailable False RouteCreated']);
});
