import { readFileSync } from 'node:fs';
import os from 'node:os';

/**
 * When a process began, as far as the system tells: a number that another process with the same id has not. `ended` for
 * one whose parent has not asked for its exit code yet.
 */
function startTime(pid: number): string {
  try {
    // The second field is the command in brackets and may hold anything; the 22nd is the start time.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ');
    return fields?.[0] === 'Z' ? 'ended' : (fields?.[19] ?? '');
  } catch {
    return '';
  }
}

/** Usually this process; a script that looks at what this process left names itself by `KAVKA_OWNER_PID`. */
const ownerPid = Number(process.env['KAVKA_OWNER_PID'] ?? process.pid);

/** Names the owner on this machine, for things that must not outlive it. */
export const ownerName: string = `${os.hostname()}/${ownerPid}/${startTime(ownerPid)}`;

/** Whether the process that left this name on this machine has ended; of other machines nothing is known. */
export function isOwnerGone(name: string): boolean {
  const [host = '', pid = '', started = ''] = name.split('/');
  if (host !== os.hostname()) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return started !== startTime(Number(pid));
}
