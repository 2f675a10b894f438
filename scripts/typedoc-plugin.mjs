/**
 * Two rules for the reference that `npm run docs` builds:
 *
 * - What is tagged `@opaque` is documented as a whole: its members are left out.
 * - A property that can only have one value (`type: 'ping'`) documents itself.
 */
import { Comment, Converter, ReflectionKind } from 'typedoc';

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of project.getReflectionsByKind(ReflectionKind.All)) {
      if (reflection.comment?.hasModifier('@opaque')) hideMembers(project, reflection);
    }
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      if (property.type?.type === 'literal') property.comment ??= new Comment([{ kind: 'text', text: 'Always this.' }]);
    }
  });
}

function hideMembers(project, reflection) {
  const members = [...(reflection.children ?? []), ...(reflection.type?.declaration?.children ?? [])];
  for (const member of members) {
    if (member.kind !== ReflectionKind.Constructor) project.removeReflection(member);
  }
}
