import tseslint from 'typescript-eslint';

const notOurStyle = [
  { selector: 'TSEnumDeclaration', message: 'Use a const object and the union of its values instead of an enum.' },
  { selector: 'ExportDefaultDeclaration', message: 'Use a named export.' },
];

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'node_modules/**',
      '.cache/**',
      'src/**/generated/**',
      // AssemblyScript has types of its own; its compiler checks them.
      'assembly/**',
      'docs/api/**',
      'test/lint/planted/**',
      'test/layers/planted/**',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js', '.dependency-cruiser.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': ['error', ...notOurStyle],
    },
  },
  {
    // Kafka's protocol and every decision are pure: time, chance and IO are passed in (examples.md section 1).
    files: ['src/protocol/**/*.ts', 'src/**/*-machine.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'process', 'performance', 'fetch'].map(
          (name) => ({
            name,
            message: 'Pass time, chance and IO in: this code decides, a driver beside it acts.',
          }),
        ),
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*'], message: 'No Node module here: pass it in from the driver.' }] },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Pass the time in.' },
        { object: 'Math', property: 'random', message: 'Pass chance in.' },
      ],
      // A later block replaces the options of an earlier one, so the first list is repeated here.
      'no-restricted-syntax': [
        'error',
        ...notOurStyle,
        { selector: 'AwaitExpression', message: 'A decision never awaits; put the wait into the driver.' },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test's describe and it answer with promises that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['describe', 'it', 'test', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['eslint.config.js', '.dependency-cruiser.js'], rules: { 'no-restricted-syntax': 'off' } },
);
