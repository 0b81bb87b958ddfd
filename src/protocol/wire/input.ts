/**
 * What an encoder takes for `T`: every field may be left out and then has Kafka's default, arrays may be read-only, any
 * `Uint8Array` stands for bytes, and a safe integer for an int64.
 */
export type Input<T> = T extends bigint
  ? bigint | number
  : T extends Uint8Array
    ? Uint8Array
    : T extends readonly (infer Element)[]
      ? readonly Input<Element>[]
      : T extends object
        ? { readonly [Name in keyof T]?: Input<T[Name]> | undefined }
        : T;
