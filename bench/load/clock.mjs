// The measured window of the Node load generators: wall time, own CPU, CPU of the measured process.

import { readFileSync } from 'node:fs';

/** CPU seconds of another process, or 0 where /proc does not exist. Clock ticks are 10 ms. */
function otherCpu(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

function ownCpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Calls `count()` after `warmup` and again after `duration` ms; resolves with the line to print. */
export async function measureWindow({ pid, warmup, duration }, count) {
  await new Promise((resolve) => setTimeout(resolve, warmup));
  const from = { time: performance.now(), own: ownCpu(), target: otherCpu(pid), messages: count() };
  await new Promise((resolve) => setTimeout(resolve, duration));
  const to = { time: performance.now(), own: ownCpu(), target: otherCpu(pid), messages: count() };
  return {
    messages: to.messages - from.messages,
    seconds: (to.time - from.time) / 1000,
    ownCpu: to.own - from.own,
    targetCpu: to.target - from.target,
  };
}

/** `name=value` arguments; values that look like numbers are numbers. */
export function readArguments(defaults) {
  const options = { ...defaults };
  for (const argument of process.argv.slice(2)) {
    const at = argument.indexOf('=');
    const value = argument.slice(at + 1);
    options[argument.slice(0, at)] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return options;
}
