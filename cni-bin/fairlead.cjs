// The CNI plugin as the runtime sees it: passes its environment and standard input to the agent and prints the answer.
// It loads nothing but what Node.js carries, because every pod start pays for it. CommonJS starts faster than a module.
//
//   node fairlead.cjs PLUGIN SOCKET NOTES [unanswered]
//
// PLUGIN is fairlead or loopback; the agent's wrapper fills all three in, and "unanswered" when it has waited long enough.
'use strict';
const fs = require('node:fs');

const versions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const timeoutMs = Number(process.env.FAIRLEAD_CNI_TIMEOUT ?? 30) * 1000;
const [plugin = 'fairlead', socketPath = '/run/fairlead/cni.sock', notesDir = '/var/lib/fairlead/cni/notes', waited] =
  process.argv.slice(2);
const noAnswer = `it did not answer within ${timeoutMs / 1000} s`;

const env = {};
for (const name of Object.keys(process.env)) if (name.startsWith('CNI_')) env[name] = process.env[name];

function readInput() {
  try {
    return fs.readFileSync(0, 'utf8');
  } catch {
    return '';
  }
}

function cniVersion(stdin) {
  try {
    return JSON.parse(stdin).cniVersion ?? '1.0.0';
  } catch {
    return '1.0.0';
  }
}

// Written whole before it ends: a pipe would lose what is left at exit.
function end(code, stdout) {
  if (stdout) fs.writeSync(1, stdout);
  process.exit(code);
}

function fail(code, msg, details) {
  end(1, JSON.stringify({ cniVersion: cniVersion(stdin), code, msg, details }));
}

// A DEL must not wait for an agent that is down: the runtime would keep the dead pod. The agent reads the note when it is back.
function leaveNote() {
  const { CNI_CONTAINERID: id = '', CNI_IFNAME: link = '' } = env;
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(id) || !/^[^/:\s]{1,15}$/.test(link))
    fail(4, 'Cannot delete: CNI_CONTAINERID or CNI_IFNAME is not valid', '');
  const path = `${notesDir}/${id}.${link}.json`;
  try {
    fs.mkdirSync(notesDir, { recursive: true, mode: 0o700 });
    const fd = fs.openSync(`${path}.new`, 'w', 0o600);
    fs.writeSync(fd, JSON.stringify({ plugin, env, stdin }));
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(`${path}.new`, path);
  } catch (err) {
    fail(5, 'Cannot leave a note for the agent', String(err));
  }
  end(0, '');
}

function unreachable(why) {
  const command = env.CNI_COMMAND;
  if (command === 'DEL') {
    if (plugin === 'loopback') end(0, '');
    leaveNote();
  }
  if (command === 'STATUS') fail(51, `Cannot reach the agent at ${socketPath}: ${why}`, 'Is "fairlead agent" running?');
  fail(11, `Cannot reach the agent at ${socketPath}: ${why}`, 'Is "fairlead agent" running?');
}

const stdin = readInput();

if (env.CNI_COMMAND === 'VERSION') {
  end(0, JSON.stringify({ cniVersion: cniVersion(stdin), supportedVersions: versions }));
}

if (waited) unreachable(noAnswer);

let reply = '';
let sent = false;
const socket = require('node:net').connect(socketPath);
socket.setEncoding('utf8');
socket.on('connect', () => {
  sent = true;
  socket.write(`${JSON.stringify({ plugin, env, stdin, confirms: true })}\n`);
});
socket.on('data', (part) => {
  reply += part;
  // Not at the end of the connection, which an agent that is stuck may never make.
  if (!reply.endsWith('\n')) return;
  clearTimeout(deadline);
  const { code, stdout } = JSON.parse(reply);
  // Told that it was taken, the agent keeps what it did; one that has ended meanwhile keeps it, too.
  socket.write('\n', () => end(code, stdout));
});
socket.on('error', (err) => (sent ? undefined : unreachable(err.code ?? err.message)));
socket.on('close', () => unreachable('it closed the connection'));
// An answer that has come meanwhile is read before.
const deadline = setTimeout(() => setImmediate(() => unreachable(noAnswer)), timeoutMs);
