import { execFileSync } from 'node:child_process';

/** Why nothing can be mounted here, or false; for node:test's `skip`. */
export const cannotMount: string | false = canMount() ? false : 'needs a mount namespace';

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
