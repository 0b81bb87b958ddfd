/**
 * Fails unless every cluster that the tests used was made of containers that this run started, from the image made here.
 *
 *     node .ci/assert-clusters.mjs <run id> <when the run began>
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [run, begun] = process.argv.slice(2);
const docker = (...args) => execFileSync('docker', args, { encoding: 'utf8' });

const clusters = JSON.parse(readFileSync('.cache/test-clusters.json', 'utf8'));
assert.ok(clusters.length > 0, 'the tests used no cluster');
for (const cluster of clusters) {
  assert.equal(cluster.via, 'docker', `${cluster.name} was not in Docker`);
  assert.equal(cluster.containers.length, cluster.bootstrapServers.length, `${cluster.name}: a container per broker`);
  for (const [index, id] of cluster.containers.entries()) {
    const [container] = JSON.parse(docker('inspect', id));
    assert.equal(container.Config.Labels['kavka.run'], run, `${id} is of another run`);
    assert.ok(
      Date.parse(container.Created) >= Date.parse(begun),
      `${id} was made at ${container.Created}, before ${begun}`,
    );
    assert.ok(container.State.Running, `${id} does not run any more`);
    assert.equal(container.Config.Image, `kavka-test-broker:${cluster.version}`);
    const port = cluster.bootstrapServers[index].split(':').pop();
    assert.equal(
      container.NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort,
      port,
      `${id} does not serve port ${port}`,
    );
  }
}
const topics = docker('exec', clusters[0].containers[0], 'ls', '/tmp/kavka-data')
  .split('\n')
  .filter((name) => /-\d+$/.test(name) && !name.startsWith('__'));
assert.ok(topics.length > 0, 'the tests left no topic in the first cluster');
console.log(
  `Yes: ${clusters.map((cluster) => `${cluster.name} in ${cluster.containers.map((id) => id.slice(0, 12)).join(', ')}`).join('; ')}; ` +
    `${topics.length} partitions of the tests in the first`,
);
