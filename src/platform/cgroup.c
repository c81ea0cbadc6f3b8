/* The processor quota of this process' cgroups, versions 1 and 2 and both at once. */
#include "platform/cpu.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * /proc/self/cgroup says where the process stands in each hierarchy, mountinfo which
 * part of it is mounted where. Where the own path lies below the mounted part, every
 * directory from it up to the mount point is an ancestor; where it does not (a container
 * that sees neither its own name nor its ancestors'), the mount point alone is.
 */
struct hierarchy {
	bool version2;
	char path[PATH_MAX]; /* of the process, empty: not in this hierarchy */
};

struct search {
	const char *root;
	unsigned least; /* 0: no limit found */
};

static FILE *open_below(const char *root, const char *path)
{
	char name[PATH_MAX];
	int length = snprintf(name, sizeof(name), "%s%s", root, path);

	return length < 0 || (size_t)length >= sizeof(name) ? NULL : fopen(name, "re");
}

static bool read_line(const char *root, const char *directory, const char *file, char *line,
		      int size)
{
	char name[PATH_MAX];
	int length = snprintf(name, sizeof(name), "%s/%s", directory, file);
	FILE *stream;
	bool found;

	if (length < 0 || (size_t)length >= sizeof(name))
		return false;
	stream = open_below(root, name);
	if (!stream)
		return false;
	found = fgets(line, size, stream) != NULL;
	fclose(stream);
	return found;
}

static void consider(struct search *search, long long quota, long long period)
{
	long long cpus;

	if (quota <= 0 || period <= 0)
		return;
	cpus = quota / period;
	if (cpus < 1)
		cpus = 1;
	if (cpus < UINT_MAX && (search->least == 0 || (unsigned)cpus < search->least))
		search->least = (unsigned)cpus;
}

/* "max 100000" has no number in front: no limit. */
static void read_version2(struct search *search, const char *directory)
{
	char line[128];
	long long quota, period;

	if (read_line(search->root, directory, "cpu.max", line, sizeof(line)) &&
	    sscanf(line, "%18lld %18lld", &quota, &period) == 2)
		consider(search, quota, period);
}

static void read_version1(struct search *search, const char *directory)
{
	char line[128];
	long long quota, period;

	if (read_line(search->root, directory, "cpu.cfs_quota_us", line, sizeof(line)) &&
	    sscanf(line, "%18lld", &quota) == 1 &&
	    read_line(search->root, directory, "cpu.cfs_period_us", line, sizeof(line)) &&
	    sscanf(line, "%18lld", &period) == 1)
		consider(search, quota, period);
}

/* From the process' own directory up to the mount point. */
static void climb(struct search *search, bool version2, const char *mount_point, const char *below)
{
	char directory[PATH_MAX];
	size_t stop = strlen(mount_point);
	int length = snprintf(directory, sizeof(directory), "%s%s", mount_point, below);

	if (length < 0 || (size_t)length >= sizeof(directory))
		return;
	for (;;) {
		char *slash = strrchr(directory, '/');

		if (version2)
			read_version2(search, directory);
		else
			read_version1(search, directory);
		if (!slash || (size_t)(slash - directory) < stop)
			return;
		*slash = '\0';
	}
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length) {
		char after = at[length];

		if ((at == list || at[-1] == ',') && (after == '\0' || after == ','))
			return true;
	}
	return false;
}

/* Lines "id:controllers:path". */
static void find_paths(const char *root, struct hierarchy *v1, struct hierarchy *v2)
{
	FILE *stream = open_below(root, "/proc/self/cgroup");
	char *line = NULL;
	size_t size = 0;

	while (stream && getline(&line, &size, stream) > 0) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (controllers[1] == '\0')
			snprintf(v2->path, sizeof(v2->path), "%s", path);
		else if (has_word(controllers + 1, "cpu"))
			snprintf(v1->path, sizeof(v1->path), "%s", path);
	}
	free(line);
	if (stream)
		fclose(stream);
}

/* mountinfo writes blanks and backslashes in octal. */
static void unescape(char *text)
{
	char *to = text;

	for (char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* What of `path` lies below `top`; NULL when it is elsewhere. */
static const char *path_below(const char *path, const char *top)
{
	size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
	const char *rest = path + length;

	if (strncmp(path, top, length) != 0 || (*rest != '/' && *rest != '\0'))
		return NULL;
	/* Outside the own namespace: "/.." leads nowhere that is mounted. */
	if (strncmp(rest, "/..", 3) == 0)
		return NULL;
	return strcmp(rest, "/") == 0 ? "" : rest;
}

struct mount {
	char *top, *point, *type, *options;
};

/* "36 35 98:0 top point options [optional fields] - type source options" */
static bool parse_mount(char *line, struct mount *mount)
{
	char *fields = strstr(line, " - ");
	char *save = NULL;

	if (!fields)
		return false;
	*fields = '\0';
	strtok_r(line, " ", &save);
	for (int skip = 0; skip < 2; skip++)
		strtok_r(NULL, " ", &save);
	mount->top = strtok_r(NULL, " ", &save);
	mount->point = strtok_r(NULL, " ", &save);
	mount->type = strtok_r(fields + 3, " \n", &save);
	if (!mount->top || !mount->point || !mount->type)
		return false;
	strtok_r(NULL, " \n", &save);
	mount->options = strtok_r(NULL, " \n", &save);
	unescape(mount->top);
	unescape(mount->point);
	return true;
}

static bool is_of(const struct mount *mount, const struct hierarchy *hierarchy)
{
	if (hierarchy->version2)
		return strcmp(mount->type, "cgroup2") == 0;
	return strcmp(mount->type, "cgroup") == 0 && mount->options &&
	       has_word(mount->options, "cpu");
}

/* All mounts of the hierarchy; `strangers`: those that do not contain the own path. */
static bool visit(struct search *search, const struct hierarchy *hierarchy, bool strangers)
{
	FILE *stream = open_below(search->root, "/proc/self/mountinfo");
	char *line = NULL;
	size_t size = 0;
	bool found = false;
	struct mount mount;

	while (stream && getline(&line, &size, stream) > 0) {
		const char *below;

		if (!parse_mount(line, &mount) || !is_of(&mount, hierarchy))
			continue;
		below = path_below(hierarchy->path, mount.top);
		if (!below != strangers)
			continue;
		found = true;
		climb(search, hierarchy->version2, mount.point, below ? below : "");
	}
	free(line);
	if (stream)
		fclose(stream);
	return found;
}

unsigned filch__cpu_quota(const char *root)
{
	struct search search = { .root = root ? root : "" };
	struct hierarchy v1 = { .version2 = false };
	struct hierarchy v2 = { .version2 = true };

	find_paths(search.root, &v1, &v2);
	if (v1.path[0] && !visit(&search, &v1, false))
		visit(&search, &v1, true);
	if (v2.path[0] && !visit(&search, &v2, false))
		visit(&search, &v2, true);
	return search.least;
}
