// Who may import whom, checked by tools/check-layers.ts. The picture is in docs/architecture.md.
// Type-only imports count (`tsPreCompilationDeps`): what a layer knows is what it names, not only what it loads.

const leaves = ['model', 'errors', 'util', 'instrumentation'];
const clients = ['producer', 'consumer', 'admin'];
const belowCluster = ['protocol', 'security', 'network', 'instrumentation', 'errors', 'util'];

/** For each folder of src, the other folders that it may import. */
const mayImport = {
  model: [],
  errors: [],
  util: [],
  instrumentation: ['model'],
  protocol: ['errors', 'util'],
  compression: ['errors', 'protocol', 'util'],
  security: ['errors', 'util'],
  network: ['protocol', 'security', 'instrumentation', 'errors', 'util'],
  cluster: [...belowCluster, 'model'],
  producer: ['cluster', 'protocol', 'compression', ...leaves],
  consumer: ['cluster', 'protocol', 'compression', ...leaves],
  admin: ['cluster', 'protocol', 'compression', ...leaves],
  testing: ['protocol', 'compression', ...leaves],
};

// Above the front door: these use the clients as any user does.
const overTheFrontDoor = {
  'schema-registry': leaves,
  listener: leaves,
  streams: leaves,
  metrics: leaves,
  cli: ['testing', ...leaves],
};

const frontDoor = '^src/index\\.ts$';

function foldersOf(names) {
  return names.map((name) => `^src/${name}/`);
}

const layers = [
  ...Object.entries(mayImport).map(([folder, targets]) => ({
    name: `${folder}-imports-down`,
    comment: `src/${folder} may import ${targets.join(', ') || 'no other folder'}. Pass what you need in, or move what two need one layer down.`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: foldersOf([folder, ...targets]) },
  })),
  ...Object.entries(overTheFrontDoor).map(([folder, targets]) => ({
    name: `${folder}-imports-the-front-door`,
    comment: `src/${folder} uses the clients through src/index.ts, as users do, and the leaves.`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: [frontDoor, ...foldersOf([folder, ...targets])] },
  })),
  {
    name: 'front-door-imports-clients',
    comment: 'src/index.ts puts the clients together and names what is public; it knows no connection.',
    severity: 'error',
    from: { path: frontDoor },
    to: {
      path: '^src/',
      pathNot: foldersOf([...clients, 'cluster', 'security', 'compression', 'protocol', ...leaves]),
    },
  },
  {
    name: 'every-folder-has-a-layer',
    comment: 'A new folder of src takes its place in the table of .dependency-cruiser.js first.',
    severity: 'error',
    from: {
      path: '^src/',
      pathNot: [frontDoor, ...foldersOf([...Object.keys(mayImport), ...Object.keys(overTheFrontDoor)])],
    },
    to: {},
  },
];

// One line per package, so that a new one is a decision (docs/decisions/dependencies.md).
const packages = {
  protocol: ['crc-32'],
  compression: ['snappyjs', 'zstd-codec', 'lz4'],
};
const pure = ['^src/protocol/', '-machine\\.ts$'];
const npmTypes = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'npm-bundled'];
// An optional peer that is not installed cannot be resolved, so its own name stands for it.
function inPackage(name) {
  return `(^|/)node_modules/${name}/|^${name}(/|$)`;
}

export default {
  forbidden: [
    ...layers,
    {
      name: 'no-cycle',
      comment: 'Two modules that need each other are one module, or hide a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-code-has-no-node-module',
      comment: 'Protocol code and machines decide; a driver beside them owns sockets, files and timers.',
      severity: 'error',
      from: { path: pure },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?buffer$' },
    },
    {
      name: 'pure-code-has-one-package',
      comment: 'Protocol code and machines use no npm package but crc-32.',
      severity: 'error',
      from: { path: pure },
      to: { dependencyTypes: npmTypes, pathNot: packages.protocol.map(inPackage) },
    },
    {
      name: 'packages-stay-in-their-folder',
      comment: 'A package is used in one place, behind an interface of ours, so that it can be replaced.',
      severity: 'error',
      from: { path: '^src/', pathNot: [...pure, '^src/compression/', '^src/util/'] },
      to: { dependencyTypes: npmTypes },
    },
    {
      name: 'compression-uses-its-codecs',
      comment: 'Codecs of npm packages are listed in .dependency-cruiser.js, each with a decision page.',
      severity: 'error',
      from: { path: '^src/compression/' },
      to: { dependencyTypes: npmTypes, pathNot: packages.compression.map(inPackage) },
    },
    {
      name: 'no-development-package',
      comment: 'What src imports, users must have: a dependency or an optional peer.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true, pathNot: '^lz4$' },
    },
    {
      name: 'src-stays-inside',
      comment: 'What is published does not import tests, tools or examples.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|tools|examples|benchmarks|dist)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import', 'default', 'types'] },
  },
};
