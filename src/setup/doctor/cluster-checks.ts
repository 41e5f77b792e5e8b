/** What runs here, and what the cluster says of this node. Pure. */
import { error } from '../preflight/finding.ts';
import { credentialAgain } from './certificate-checks.ts';
import { type Examination, found, unseen } from './verdict.ts';

export const services: Examination = ({ services: all }) => {
  if (all.length === 0) return unseen('neither "fairlead init" nor "fairlead join" has set one up here');
  return found(
    all.map(
      ({ name, isRunning, logHint }) =>
        !isRunning && error(`Service-${name}`, `"fairlead ${name}" does not run`, `See why: ${logHint}; then start it again`),
    ),
    `${all.map(({ name }) => `"fairlead ${name}"`).join(' and ')} ${all.length > 1 ? 'run' : 'runs'}`,
  );
};

export const controlPlane: Examination = ({ cluster }) => {
  switch (cluster.kind) {
    case 'none':
      return unseen(cluster.why);
    case 'unusable':
      return found([error('Credential', cluster.why, `Take the file away. ${credentialAgain}`)], '');
    case 'silent':
      return found(
        [
          error(
            'ControlPlane',
            `${cluster.server} does not answer: ${cluster.why}`,
            cluster.outOfTime
              ? 'Set the clock right that is wrong, date -u here or there; where both are right: fairlead certs check, on the control plane'
              : 'Does "fairlead server" run there, and does a firewall let its port through?',
          ),
        ],
        '',
      );
    case 'refused':
      return found(
        [
          error(
            'Credential',
            `${cluster.server} does not take the certificate of this node: ${cluster.why}`,
            `See whether it has ended: fairlead certs check. ${credentialAgain}; if it is that of another cluster, reset before`,
          ),
        ],
        '',
      );
    case 'heard':
      return found([], `${cluster.server} answers`);
  }
};

export const node: Examination = ({ cluster, machine, network }) => {
  if (cluster.kind !== 'heard') return unseen('the control plane was not heard');
  const { nodeName: name } = machine;
  const { node: own } = cluster;
  if (!own)
    return found([error('NodeMissing', `the cluster has no node "${name}"`, 'Start its agent again: it registers when it starts')], '');
  const strange = own.addresses.filter((address) => !network.ownAddresses.includes(address));
  return found(
    [
      !own.isReady && error('NodeNotReady', `node "${name}" is not Ready: ${own.message}`, `kubectl describe node ${name}`),
      strange.length > 0 &&
        error(
          'NodeAddressGone',
          `node "${name}" is known as ${strange.join(', ')}, which this machine does not have`,
          'Give it the address again, or change FAIRLEAD_NODE_IP in /etc/fairlead/agent.env and start the agent again',
        ),
    ],
    `"${name}" is Ready at ${own.addresses.join(', ')}`,
  );
};
