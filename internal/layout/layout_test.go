package layout_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// uses are the names that a file uses of each other file.
type uses map[string]map[string]map[string]bool

// TestNoCircleOfFiles type-checks each package of the program, and follows which file uses
// what another one declares. With -v it lists all of it.
func TestNoCircleOfFiles(t *testing.T) {
	packages, set := sources(t), token.NewFileSet()
	imports := importer.ForCompiler(set, "gc", exported(t))
	if len(packages) < 10 {
		t.Fatalf("%d folders with source files, want all of them", len(packages))
	}
	for _, folder := range slices.Sorted(maps.Keys(packages)) {
		u := usesIn(t, set, folder, packages[folder], imports)
		if testing.Verbose() {
			for _, from := range slices.Sorted(maps.Keys(u)) {
				for _, to := range slices.Sorted(maps.Keys(u[from])) {
					t.Logf("%s: %s", folder, u.edge(from, to))
				}
			}
		}
		circle := u.circle()
		for i := range len(circle) - 1 {
			t.Errorf("%s: files use each other in a circle: %s", folder, u.edge(circle[i], circle[i+1]))
		}
	}
}

// TestACircleIsFound shows that the test above can fail.
func TestACircleIsFound(t *testing.T) {
	u := uses{"a": {"b": nil}, "b": {"c": nil}, "c": {"a": nil}, "d": {"a": nil}}
	if circle := u.circle(); !slices.Equal(circle, []string{"a", "b", "c", "a"}) {
		t.Errorf("got %v", circle)
	}
	delete(u["c"], "a")
	if circle := u.circle(); circle != nil {
		t.Errorf("got %v where there is none", circle)
	}
}

// sources returns the source files of the module, without tests, by folder.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && name != ".."):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			packages[filepath.Dir(path)] = append(packages[filepath.Dir(path)], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// exported returns the compiler's description of each package that ours import. Without
// them a method would go unseen where its value came by way of one, as from
// atomic.Pointer.
func exported(t *testing.T) importer.Lookup {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	list.Dir, list.Stderr = "../..", os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// usesIn returns which files of a folder use each other.
func usesIn(t *testing.T, set *token.FileSet, folder string, paths []string, imports types.Importer) uses {
	t.Helper()
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: imports}
	checked, err := config.Check(folder, set, files, info)
	if err != nil {
		t.Fatal(err)
	}
	all := uses{}
	for name, object := range info.Uses {
		if object.Pkg() != checked {
			continue
		}
		from, to := filepath.Base(set.Position(name.Pos()).Filename), filepath.Base(set.Position(object.Pos()).Filename)
		if from == to {
			continue
		}
		if all[from] == nil {
			all[from] = map[string]map[string]bool{}
		}
		if all[from][to] == nil {
			all[from][to] = map[string]bool{}
		}
		all[from][to][name.Name] = true
	}
	return all
}

// edge says what a file uses of another one.
func (u uses) edge(from, to string) string {
	return from + " uses of " + to + ": " + strings.Join(slices.Sorted(maps.Keys(u[from][to])), " ")
}

// circle returns a circle of files, nil if there is none.
func (u uses) circle() []string {
	done := map[string]bool{}
	var path []string
	var visit func(file string) []string
	visit = func(file string) []string {
		if i := slices.Index(path, file); i >= 0 {
			return append(slices.Clone(path[i:]), file)
		}
		if done[file] {
			return nil
		}
		path = append(path, file)
		for _, to := range slices.Sorted(maps.Keys(u[file])) {
			if circle := visit(to); circle != nil {
				return circle
			}
		}
		path = path[:len(path)-1]
		done[file] = true
		return nil
	}
	for _, file := range slices.Sorted(maps.Keys(u)) {
		if circle := visit(file); circle != nil {
			return circle
		}
	}
	return nil
}
