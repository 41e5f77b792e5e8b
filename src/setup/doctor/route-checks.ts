/** Whether other nodes are where plain routes lead to, in a cluster whose pods cross nodes by these. Pure. */
import { familyOf } from '../../ip/ip.ts';
import { isFar, networksOfLink } from '../node-address.ts';
import { error } from '../preflight/finding.ts';
import { podFamilies } from '../preflight/network-checks.ts';
import { type Examination, found, unseen } from './verdict.ts';

export const plainRoutes: Examination = ({ cluster, machine, network: { backend, networks } }) => {
  if (backend === undefined) return unseen('what pod network the cluster has is not known here');
  if (backend.type !== 'host-gw') return { kind: 'fine', said: `not needed by ${backend.type}` };
  if (cluster.kind !== 'heard') return unseen('the control plane was not heard');
  const families = podFamilies(machine);
  const blind = families.find((family) => networksOfLink(networks, family).length === 0);
  if (blind !== undefined) return unseen(`the address of IPv${blind} here has no network with it, as of DHCPv6`);
  const far = machine.nodes.flatMap(({ name, addresses }) =>
    addresses.filter((ip) => families.includes(familyOf(ip)) && isFar(ip, networks)).map((ip) => `"${name}" (${ip})`),
  );
  return found(
    [
      far.length > 0 &&
        error(
          'HostGwFarNode',
          `pods here and on ${far.join(', ')} do not reach each other: host-gw takes nodes on one link (${networks.join(', ')})`,
          'On the control plane: fairlead init --network-backend vxlan, or edit the ConfigMap kube-system/kube-flannel-cfg',
        ),
    ],
    `all nodes are on the link of ${networks.join(', ')}`,
  );
};
