import { Words } from './i18n';

export const es: Words = {};
