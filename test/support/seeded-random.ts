/** The cluster's own source of chance serves the tests as well: one seed, one row of numbers. */
export { seededRandom } from '../../src/testing/seeded-random.ts';
