/** Whether what a pod sends fits the links under it, here and on the way to other nodes. Pure. */
import { error } from '../preflight/finding.ts';
import { vxlanOverhead } from '../preflight/network-checks.ts';
import { type Examination, found, unseen } from './verdict.ts';

/** The bridge that pods hang on. */
const podBridge = 'cni0';

export const podMtu: Examination = ({ machine, network: { backend, podMtu: given, links } }) => {
  const { mtu: underlay, link = 'LINK' } = machine;
  const [address] = machine.addresses;
  if (given === undefined) return unseen('there is no pod network here: no /run/flannel/subnet.env');
  if (underlay === undefined || address === undefined) return unseen("the MTU of the node's own link is not known");
  const overhead = backend?.type === 'host-gw' ? 0 : vxlanOverhead(machine);
  const most = underlay - overhead;
  const bridge = links?.find(({ name }) => name === podBridge);
  const why = overhead > 0 ? `, of which VXLAN takes ${overhead}` : '';
  return found(
    [
      given > most &&
        error(
          'PodMTU',
          `pods send packets of up to ${given} bytes, and the link of ${address} takes ${underlay}${why}: larger ones than ${most} are lost`,
          `Give the link its MTU again: ip link set ${link} mtu ${given + overhead}; or start the agent again: new pods get ${most}`,
        ),
      bridge !== undefined &&
        bridge.mtu > given &&
        error(
          'BridgeMTU',
          `the bridge ${podBridge} takes ${bridge.mtu} bytes, and the pod network carries ${given}`,
          `ip link set ${podBridge} mtu ${given}`,
        ),
    ],
    `pods send up to ${given} bytes, the link of ${address} takes ${underlay}`,
  );
};

export const pathMtu: Examination = ({ machine, network: { peers } }) => {
  if (peers === undefined) return unseen('there is no "ping" here that can send packets of a size: apt-get install iputils-ping');
  const heard = peers.filter(({ smallArrives }) => smallArrives);
  if (heard.length === 0) return unseen(peers.length === 0 ? 'no other node is known' : 'no other node answers a ping');
  return found(
    heard.map(
      ({ node, address, largeArrives }) =>
        !largeArrives &&
        error(
          'PathMTU',
          `packets of ${machine.mtu} bytes, the MTU here, do not reach node "${node}" (${address}), smaller ones do`,
          'Give the links of all nodes, and what is between them, the same MTU',
        ),
    ),
    `packets of ${machine.mtu} bytes reach ${[...new Set(heard.map(({ node }) => node))].join(', ')}`,
  );
};
