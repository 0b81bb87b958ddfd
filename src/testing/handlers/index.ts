import type { AnyHandler } from '../handler.ts';
import { findCoordinatorHandler } from './find-coordinator.ts';
import { metadataHandler } from './metadata.ts';

/** Every API that the brokers answer, but ApiVersions, which lists them. In alphabetical order, one file each. */
export const handlers: readonly AnyHandler[] = [findCoordinatorHandler, metadataHandler];
