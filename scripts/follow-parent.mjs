/**
 * Preloaded into what `child.mjs` runs: when the process that started it is gone, this one gets the SIGTERM that can
 * no longer be passed on. A child learns it from its channel. Under npm (`npx sluice`, `npm run demo`) the starter is
 * a shell, to which npm forwards a signal and which dies of it without telling anyone, so there the parent is watched.
 */
import process from 'node:process';

const stop = () => process.kill(process.pid, 'SIGTERM');

if (process.channel !== undefined && process.channel !== null) {
  process.once('disconnect', stop);
  // The listener must not keep a process alive that has nothing left to do.
  process.channel.unref();
} else if (process.env['npm_lifecycle_event'] !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, 200);
  watch.unref();
}
