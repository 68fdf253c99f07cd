// Lint rules. The import directions at the end are STRUCTURE: which room may import which (see CONTRIBUTING.md).
import tseslint from 'typescript-eslint';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

/** Each room and the rooms whose files it may import. Anything not named here fails the lint. */
const mayImport = {
  contracts: [],
  workflows: ['contracts'],
  policy: ['contracts'],
  temporal: ['contracts'],
  cloud: ['contracts'],
  db: ['contracts'],
  activities: ['contracts', 'policy', 'cloud', 'db'],
  workers: ['contracts', 'policy', 'cloud', 'db', 'temporal', 'activities'],
  api: ['contracts', 'db', 'temporal'],
  agent: ['contracts'],
  simulator: ['contracts'],
  dashboard: ['contracts'],
  cli: ['contracts'],
};

const zones = Object.entries(mayImport).map(([room, allowed]) => ({
  target: `./${room}`,
  from: Object.keys(mayImport)
    .concat('test')
    .filter((other) => other !== room && !allowed.includes(other))
    .map((other) => `./${other}`),
  message: `${room}/ may import ${allowed.length === 0 ? 'no other room' : `only ${allowed.join(', ')}`}.`,
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.spotkeeper/', 'coverage/'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      'no-console': 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver(), createNodeResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones, basePath: import.meta.dirname }],
      'import-x/no-cycle': 'error',
    },
  },
  { files: ['cli/**', 'bin/**', 'test/**'], rules: { 'no-console': 'off' } },
  {
    // Workflow code is replayed: what isn't a function of its history breaks it.
    files: ['workflows/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['node:*', 'zod', 'pg', 'kysely', '@aws-sdk/*'] }],
    },
  },
);
