/** Runs apt-get beside others that do. */
import { spawnSync } from 'node:child_process';
import { asRoot, Stop, say } from './process.mjs';

/** A machine that was just booted may be upgrading itself: that is waited for. A mirror may fail once. */
const patienceSeconds = 300;
const patient = [`-oDPkg::Lock::Timeout=${patienceSeconds}`, '-oAcquire::Retries=5'];

/** DPkg::Lock::Timeout is for dpkg's own lock; for those of the lists and of the archives apt-get fails at once. */
const lockOfApt = /Could not get lock (\/\S*\/(?:lists|archives)(?:\/partial)?\/lock)\S*(?: It is held by process (\d+ \([^)]*\)))?/;
const pauseSeconds = 2;
const tellEverySeconds = 20;

function run(args, output) {
  const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'apt-get', ...patient, ...args];
  const [file, ...rest] = [...asRoot('install packages'), ...command];
  const { status, signal, stderr } = spawnSync(file, rest, { stdio: ['ignore', output, 'pipe'], encoding: 'utf8' });
  if (signal === 'SIGINT' || status === 130) throw new Stop('Interrupted', 130);
  return { isDone: status === 0, stderr: stderr ?? '' };
}

/** What `patientApt` needs of the machine. */
export const machine = {
  /** Its progress is shown; what goes wrong is given, to be shown when it is final. */
  run: (args) => run(args, 2),
  /** A process of its own, which Ctrl-C ends. */
  pause(seconds) {
    const { signal, status } = spawnSync('sleep', [String(seconds)], { stdio: 'ignore' });
    if (signal === 'SIGINT' || status === 130) throw new Stop('Interrupted', 130);
  },
  say,
  show: (text) => void process.stderr.write(text),
};

/** The same, and nothing of its progress is shown. */
export const quietMachine = { ...machine, run: (args) => run(args, 'ignore') };

/** Who holds which lock, in what apt-get said; undefined when it failed for another reason. */
function lockIn(stderr) {
  const found = lockOfApt.exec(stderr);
  if (found === null) return undefined;
  const [, path, holder] = found;
  return { path, who: holder === undefined ? 'another process' : `process ${holder}`, pid: /\d+/.exec(holder ?? '')?.[0] };
}

function heldTooLong(args, { path, who, pid }) {
  const look = pid === undefined ? `sudo fuser -v ${path}` : `ps -fp ${pid}`;
  return new Stop(
    `Cannot run "apt-get ${args[0]}": ${who} has held ${path} for ${patienceSeconds} s\n  next: wait until it has ended, which "${look}" shows, and run the same command again`,
  );
}

/** Runs apt-get; whether it did well. Another one that reads the lists or fetches packages is waited for; throws Stop when that takes too long. */
export function patientApt(args, { run, pause, say, show } = machine) {
  for (let waited = 0; ; waited += pauseSeconds) {
    const { isDone, stderr } = run(args);
    const lock = isDone ? undefined : lockIn(stderr);
    if (lock === undefined) {
      show(stderr);
      return isDone;
    }
    if (waited >= patienceSeconds) throw heldTooLong(args, lock);
    const time = waited === 0 ? `${patienceSeconds} s at most` : `${waited} of ${patienceSeconds} s`;
    if (waited % tellEverySeconds === 0) say(`Waiting for ${lock.who}, which holds ${lock.path} (${time})`);
    pause(pauseSeconds);
  }
}
