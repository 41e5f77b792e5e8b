/** What the server says it is. Clients compare the number to know what they may ask for. */
import { gitVersion } from '../../observability/version.ts';

export const serverVersion: Readonly<Record<string, string>> = {
  major: '1',
  minor: '35',
  gitVersion,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};
