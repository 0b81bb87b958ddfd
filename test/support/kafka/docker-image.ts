import type { ContainerRuntimeClient } from 'testcontainers';
import { localImage, makeImage, recipeHash, recipeLabel } from './image/make-image.ts';

/** The image to start brokers from, in the order that README.md gives; in all of them the jars are in /opt/kafka/libs. */
export async function imageFor(
  client: ContainerRuntimeClient,
  version: string,
  say: (line: string) => void,
): Promise<string> {
  const given = process.env['KAFKA_IMAGE'];
  if (given !== undefined && given !== '') return given;
  const local = localImage(version);
  if ((await labelOf(client, local)) === recipeHash) return local;
  const published = `apache/kafka:${version}`;
  try {
    if ((await labelOf(client, published)) === undefined) await pull(client, published, say);
    return published;
  } catch (error) {
    say(`No ${published} to be had (${String(error).split('\n')[0]}); making an image here`);
    return makeImage(version, say);
  }
}

/** `undefined` if there is no such image here, an empty text if it has no such label. */
async function labelOf(client: ContainerRuntimeClient, image: string): Promise<string | undefined> {
  const known = await client.container.dockerode.listImages({ filters: { reference: [image] } });
  if (known[0] === undefined) return undefined;
  // Older engines answer with null where there are no labels.
  const labels = known[0].Labels as Record<string, string> | null | undefined;
  return labels?.[recipeLabel] ?? '';
}

async function pull(client: ContainerRuntimeClient, image: string, say: (line: string) => void): Promise<void> {
  say(`Pulling ${image}`);
  const { dockerode } = client.container;
  const progress = await dockerode.pull(image);
  await new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(progress, (error: Error | null) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
