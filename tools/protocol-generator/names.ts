/** `AddPartitionsToTxn` → `add-partitions-to-txn`. */
export function kebab(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();
}

/** `TopicId` → `topicId`, as Java's accessors do. */
export function camel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

const taken = new Set([
  'reader',
  'writer',
  'version',
  'message',
  'flexible',
  'tag',
  'tags',
  'end',
  'mark',
  'default',
  'null',
  'true',
  'false',
]);

/** A variable for the field that hides nothing which the generated functions use. */
export function variable(name: string): string {
  const plain = camel(name);
  return taken.has(plain) ? `${plain}_` : plain;
}
